// SPDX-License-Identifier: MIT

import HTTP
import MCPProtocol
import NIOConcurrencyHelpers
import NIOCore
import RuntimeContract
import Testing

@testable import DataPlane

@Suite("HTTP+SSE")
struct EventStreamSessionTests {
    /// Opens a stream whose server announces `endpoint`, and returns what the client is told, and both ends.
    private func open(
        _ gateway: TestGateway, _ server: RawServer, announcing endpoint: String, path: String = "/adapters/a/sse",
        headers: [String] = []
    ) async throws -> (messages: String, client: RawConnection, upstream: RawConnection) {
        let client = try await gateway.connect()
        try await client.send(gateway.request("GET", path, headers))
        let upstream = try await server.accept()
        let request = try await upstream.request()
        #expect(request.startLine == "GET /sse HTTP/1.1")
        try await upstream.send(EventStreamTests.chunkedHead)
        // In two pieces, with the cut within the URI.
        let event = "event: endpoint\r\ndata: \(endpoint)\r\n\r\n"
        let cut = event.utf8.count - 6
        try await upstream.send(EventStreamTests.chunk(String(event.prefix(cut))))
        let head = try await client.head()
        #expect(head.status == 200)
        try await upstream.send(EventStreamTests.chunk(String(event.dropFirst(cut))))
        let text = try await client.receive { $0.hasSuffix("\r\n\r\n\r\n") }
        let start = try #require(text.firstRange(of: "data: "), "\(text)")
        let target = String(text[start.upperBound...].prefix { $0 != "\r\n" })
        #expect(target.hasPrefix("/adapters/a/messages?session_id="))
        #expect(text.contains("event: endpoint\r\n"))
        return (target, client, upstream)
    }

    /// What servers announce, and where messages must go.
    static let announcements = [
        ("/messages/?session_id=0123456789abcdef", "/messages/?session_id=0123456789abcdef"),
        ("/message?sessionId=1-2-3", "/message?sessionId=1-2-3"),
        ("messages?x=%20&y=a+b", "/messages?x=%20&y=a+b"), ("?s=1", "/sse?s=1"),
        ("http://10.1.2.3:9999/deep/er?q", "/deep/er?q"), ("https://example.com", "/"),
        ("//other/p#f", "/p"), ("../up/./and/../down", "/up/down"),
    ]

    @Test("checklist 41, 42: messages go where the stream's server said, whatever it said", arguments: announcements)
    func endpoint(_ announced: String, _ target: String) async throws {
        try await withRawServer { gateway, server in
            let (messages, client, upstream) = try await open(gateway, server, announcing: announced)
            let poster = try await gateway.connect()
            for id in 1...2 {
                try await poster.send(gateway.request("POST", messages, ["Mcp-Session-Id: x"], toolCall(id: "\(id)")))
                let messageUpstream = id == 1 ? try await server.accept() : nil
                if let messageUpstream {
                    let request = try await messageUpstream.request()
                    #expect(request.startLine == "POST \(target) HTTP/1.1")
                    #expect(request.body == toolCall(id: "1"))
                    #expect(request["Mcp-Session-Id"] == nil)
                    try await messageUpstream.send(
                        "HTTP/1.1 202 Accepted\r\nConnection: close\r\nContent-Length: 8\r\n\r\nAccepted")
                } else {
                    let second = try await server.accept()
                    _ = try await second.request()
                    try await second.send(
                        "HTTP/1.1 202 Accepted\r\nConnection: close\r\nContent-Length: 8\r\n\r\nAccepted")
                }
                let accepted = try await poster.answer()
                #expect(accepted.status == 202)
                #expect(accepted.body == "Accepted")
            }
            try await upstream.send(EventStreamTests.chunk("event: message\ndata: {}\n\n"))
            _ = try await client.receive { $0.contains("event: message\ndata: {}\n\n") }
            #expect(gateway.plane.registry.count == 1)
        }
    }

    @Test(
        "checklist 42: when the stream has ended its messages are 404, whoever ended it",
        arguments: ["client", "server", "reset"])
    func end(by side: String) async throws {
        try await withRawServer { gateway, server in
            let (messages, client, upstream) = try await open(gateway, server, announcing: "/m?s=1")
            switch side {
            case "client": client.close()
            case "reset": try await upstream.reset()
            default: try await upstream.send("0\r\n\r\n")
            }
            if side == "client" {
                try await upstream.waitForEnd()
            } else {
                _ = try await client.receive { $0.contains("0\r\n\r\n") }
            }
            try await eventually("the stream is over") { gateway.plane.registry.count == 0 }
            // On more connections than there are loops, so that every loop is asked.
            for _ in 0..<16 {
                let answer = try await gateway.send("POST", messages, [], toolCall())
                #expect(answer.status == 404)
                #expect(answer.errorID == "7")
            }
            #expect(server.waitingCount == 0)
            #expect(gateway.plane.registry.count == 0)
        }
    }

    @Test("checklist 42: another gateway with the same keys lets the server say that the stream has ended")
    func otherGateway() async throws {
        let ring = SessionKeyRing.generate()
        let server = try await RawServer.listen()
        try await withGateway(keyRing: ring) { one in
            try await withGateway(keyRing: ring) { other in
                try one.publish([.tcp(server.port)])
                try other.publish([.tcp(server.port)])
                let (messages, client, upstream) = try await open(one, server, announcing: "/m?s=1")
                for status in [202, 404] {
                    async let answer = other.send("POST", messages, [], toolCall())
                    let connection = try await server.accept()
                    #expect(try await connection.request().startLine == "POST /m?s=1 HTTP/1.1")
                    try await connection.send("HTTP/1.1 \(status) X\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
                    #expect(try await answer.status == status)
                    client.close()
                    try await upstream.waitForEnd()
                }
            }
        }
    }

    @Test("checklist 12: messages without, with a foreign or with a wrong session id")
    func wrongIDs() async throws {
        try await withRawServer { gateway, server in
            let (messages, client, upstream) = try await open(gateway, server, announcing: "/m?s=1")
            let missing = try await gateway.send("POST", "/adapters/a/messages", [], toolCall())
            #expect(missing.status == 400)
            #expect(missing.errorID == "7")
            #expect(try await gateway.send("POST", "/adapters/a/messages?session_id=", [], toolCall()).status == 404)
            #expect(try await gateway.send("POST", messages + "x", [], toolCall()).status == 404)
            let id = try #require(messages.split(separator: "=").last)
            #expect(try await gateway.call(String(id)).status == 404, "not a session of the other transport")
            for method in ["GET", "DELETE", "PUT"] {
                let answer = try await gateway.send(method, messages)
                #expect(answer.status == 405)
                #expect(answer["Allow"] == "POST")
            }
            let post = try await gateway.send("POST", "/adapters/a/sse", [], toolCall())
            #expect(post.status == 405)
            #expect(post["Allow"] == "GET")
            withExtendedLifetime((client, upstream)) {}
        }
    }

    @Test("checklist 15: a stream is of its principal")
    func principals() async throws {
        try await withRawServer(authenticator: TestAuthenticator()) { gateway, server in
            let (messages, client, upstream) = try await open(
                gateway, server, announcing: "/m?s=1", headers: ["Authorization: Bearer ada"])
            #expect(try await gateway.send("POST", messages, ["Authorization: Bearer bob"], toolCall()).status == 404)
            #expect(try await gateway.send("POST", messages, [], toolCall()).status == 401)
            withExtendedLifetime((client, upstream)) {}
        }
    }

    @Test(
        "an adapter that speaks nothing but HTTP+SSE opens its stream on the one URL that clients know, and refuses POST there"
    )
    func oneURL() async throws {
        let server = try await RawServer.listen()
        try await withGateway { gateway in
            try gateway.publish([.tcp(server.port)], transport: .sse)
            let answer = try await gateway.post(initializeRequest)
            #expect(answer.status == 405)
            #expect(answer["Allow"] == "GET")
            let (_, client, upstream) = try await open(gateway, server, announcing: "/m", path: "/adapters/a/mcp")
            withExtendedLifetime((client, upstream)) {}
        }
    }

    @Test("what a server answers instead of a stream passes, and begins no session")
    func noStream() async throws {
        try await withServers(
            extra: ExtraAnswers { request in
                request.path == "/sse" ? .json("{}", status: 404) : nil
            }
        ) { gateway, _ in
            let answer = try await gateway.send("GET", "/adapters/a/sse?x=1")
            #expect(answer.status == 404)
            #expect(answer.body == "{}")
            #expect(gateway.plane.registry.count == 0)
        }
    }

    @Test(
        "an endpoint that is no path of a server breaks the stream off",
        arguments: ["", "ftp://x/y", "a b", "mailto:x"])
    func uselessEndpoint(_ endpoint: String) async throws {
        try await withRawServer { gateway, server in
            let client = try await gateway.connect()
            try await client.send(gateway.request("GET", "/adapters/a/sse"))
            let upstream = try await server.accept()
            _ = try await upstream.request()
            try await upstream.send(
                EventStreamTests.chunkedHead + EventStreamTests.chunk("event: endpoint\ndata: \(endpoint)\n\n"))
            let text = try await client.receiveAll()
            #expect(!text.contains("endpoint"))
            try await upstream.waitForEnd()
            #expect(gateway.plane.registry.count == 0)
        }
    }
}
