// SPDX-License-Identifier: MIT

import HTTP
import MCPProtocol
import NIOConcurrencyHelpers
import NIOCore
import RuntimeContract
import Testing

@testable import DataPlane

@Suite("Legacy sessions")
struct LegacySessionTests {
    @Test("checklist 8, 11: a session stays on its instance, and its id is not the server's")
    func affinity() async throws {
        try await withServers(3) { gateway, servers in
            var sessions: [String] = []
            for _ in 0..<9 { sessions.append(try await gateway.initialize()) }
            #expect(Set(sessions).count == 9)
            // The servers' own have four characters; three of them are in a random text now and then.
            #expect(sessions.allSatisfy { $0.count > 40 })
            // Fewest sessions first: each instance has three.
            for server in servers { #expect(server.requests.count == 3) }
            for round in 1...3 {
                for session in sessions.shuffled() {
                    let answer = try await gateway.call(session)
                    #expect(answer.status == 200)
                    #expect(answer.body.hasSuffix("call \(round)\"}"))
                    #expect(answer["Mcp-Session-Id"] == session)
                }
            }
        }
    }

    @Test("checklist 3: without a version header a request is legacy")
    func noVersion() async throws {
        try await withServers { gateway, servers in
            let session = try await gateway.initialize()
            #expect(try await gateway.post(toolCall(), ["Mcp-Session-Id: \(session)"]).status == 200)
            #expect(try await gateway.post(toolCall()).status == 200)
            #expect(servers[0].requests.allSatisfy { $0.headers["MCP-Protocol-Version"] == nil })
        }
    }

    @Test("checklist 12, 58: an unknown session, or one whose instance is gone, is 404 with the request's id")
    func notFound() async throws {
        let server = TestServer("s")
        try await withHTTPServer(server.answer) { port in
            try await withGateway { gateway in
                try gateway.publish([(port, "before")])
                let session = try await gateway.initialize()
                #expect(try await gateway.call(session).status == 200)
                try gateway.publish([(port, "after")])
                let changed = String(session.dropLast()) + (session.last == "A" ? "B" : "A")
                for id in [session, "nonsense", changed, "!~", String(repeating: "x", count: 20_000)] {
                    let answer = try await gateway.call(id, id: "\"x\"")
                    #expect(answer.status == 404)
                    #expect(
                        answer.body
                            == #"{"jsonrpc":"2.0","id":"x","error":{"code":-32001,"message":"Session not found"}}"#)
                    for method in ["GET", "DELETE"] {
                        #expect(
                            try await gateway.send(method, "/adapters/a/mcp", ["Mcp-Session-Id: \(id)"]).status == 404)
                    }
                }
                let replaced = try await gateway.call(session)
                #expect(replaced.status == 404)
                try gateway.publish([(port, "before")])
                #expect(try await gateway.call(session).status == 200, "the same life again")
                try gateway.publish([TestGateway.Instance]())
                #expect(try await gateway.call(session).status == 404)
            }
        }
    }

    @Test("checklist 12: two session ids in one request are refused")
    func twoIDs() async throws {
        try await withServers { gateway, _ in
            let session = try await gateway.initialize()
            let answer = try await gateway.post(
                toolCall(), ["Mcp-Session-Id: \(session)", "Mcp-Session-Id: \(session)"])
            #expect(answer.status == 400)
            #expect(answer.errorCode == -32600)
        }
    }

    @Test("checklist 17: two gateways with the same keys route each other's sessions, others don't")
    func sharedKeys() async throws {
        let ring = SessionKeyRing.generate()
        let server = TestServer("s")
        try await withHTTPServer(server.answer) { port in
            try await withGateway(keyRing: ring) { one in
                try await withGateway(keyRing: ring) { other in
                    try await withGateway { stranger in
                        for gateway in [one, other, stranger] { try gateway.publish([(port, "i")]) }
                        let session = try await one.initialize()
                        #expect(try await other.call(session).status == 200)
                        #expect(try await one.call(session).body.hasSuffix("call 2\"}"))
                        #expect(try await stranger.call(session).status == 404)
                    }
                }
            }
        }
    }

    @Test("checklist 7: without an instance the answer is 503 with Retry-After, never a 4xx")
    func unavailable() async throws {
        try await withGateway { gateway in
            try gateway.publish([TestGateway.Instance]())
            for (body, headers) in [
                (initializeRequest, []), (toolCall(id: "1"), []), (modernRequest(id: "1"), modernHeaders()),
            ] {
                let answer = try await gateway.post(body, headers)
                #expect(answer.status == 503)
                #expect(answer["Retry-After"] == "1")
                #expect(answer.errorCode == -32603)
                #expect(answer.errorID == "1")
            }
            let unknown = try await gateway.send("POST", "/adapters/none/mcp", [], initializeRequest)
            #expect(unknown.status == 404)
            #expect(unknown.errorID == "1")
        }
    }

    @Test("checklist 14: DELETE ends the session, which is unknown afterwards and is not counted")
    func delete() async throws {
        try await withServers { gateway, _ in
            let session = try await gateway.initialize()
            #expect(gateway.plane.registry.count == 1)
            #expect(try await gateway.send("DELETE", "/adapters/a/mcp", ["Mcp-Session-Id: \(session)"]).status == 200)
            #expect(gateway.plane.registry.count == 0)
            #expect(try await gateway.call(session).status == 404)
            #expect(gateway.plane.registry.count == 0)
        }
    }

    @Test("checklist 14: the server's 405 to DELETE passes and the session goes on")
    func refusedDelete() async throws {
        try await withServers(
            extra: ExtraAnswers {
                $0.method == "DELETE" ? HTTPResponse(status: 405, headers: ["Allow": "GET, POST"]) : nil
            }
        ) { gateway, _ in
            let session = try await gateway.initialize()
            let answer = try await gateway.send("DELETE", "/adapters/a/mcp", ["Mcp-Session-Id: \(session)"])
            #expect(answer.status == 405)
            #expect(answer["Allow"] == "GET, POST")
            #expect(gateway.plane.registry.count == 1)
            #expect(try await gateway.call(session).status == 200)
        }
    }

    @Test("checklist 14: a session that its server does not know any more is not counted")
    func forgottenByServer() async throws {
        let isForgetful = NIOLockedValueBox(false)
        try await withServers(
            extra: ExtraAnswers { _ in isForgetful.withLockedValue { $0 } ? HTTPResponse(status: 404) : nil }
        ) {
            gateway, _ in
            let session = try await gateway.initialize()
            isForgetful.withLockedValue { $0 = true }
            #expect(try await gateway.call(session).status == 404)
            #expect(gateway.plane.registry.count == 0)
        }
    }

    @Test("checklist 9: a server that issues no session id works, unpinned")
    func stateless() async throws {
        try await withServers(
            2,
            extra: ExtraAnswers { request in
                request.headers["Mcp-Session-Id"] == nil ? .json(#"{"jsonrpc":"2.0","id":1,"result":{}}"#) : nil
            }
        ) { gateway, servers in
            for _ in 0..<4 {
                let answer = try await gateway.post(initializeRequest)
                #expect(answer.status == 200)
                #expect(answer["Mcp-Session-Id"] == nil)
                #expect(try await gateway.post(toolCall()).status == 200)
            }
            #expect(gateway.plane.registry.count == 0)
            #expect(try await gateway.send("GET").status == 200)
        }
    }

    @Test("checklist 13: a failed initialize leaves no session")
    func failedInitialize() async throws {
        try await withServers(
            extra: ExtraAnswers { _ in
                .json(
                    #"{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"no"}}"#, ["Mcp-Session-Id": "s"],
                    status: 400)
            }
        ) { gateway, _ in
            let answer = try await gateway.post(initializeRequest)
            #expect(answer.status == 400)
            #expect(answer["Mcp-Session-Id"] == nil)
            #expect(answer.body == #"{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"no"}}"#)
            #expect(gateway.plane.registry.count == 0)
        }
    }

    /// Ids as servers may give them.
    static let upstreamIDs = [
        "!", "~", "a,b;c=d", "\"quoted\"", "a%20b%", "=?base64?x?=", String(repeating: "z", count: 4096),
        String((0x21...0x7E).map { Character(Unicode.Scalar($0)) }),
    ]

    @Test("checklist 10: any id of visible characters comes back to the server as it was", arguments: upstreamIDs)
    func opaqueIDs(_ id: String) async throws {
        try await withServers(
            extra: ExtraAnswers { request in
                .json(
                    "{}", ["Mcp-Session-Id": id],
                    status: request.headers["Mcp-Session-Id"] == nil || request.headers["Mcp-Session-Id"] == id
                        ? 200 : 404)
            }
        ) { gateway, servers in
            let session = try await gateway.initialize()
            let answer = try await gateway.call(session)
            #expect(answer.status == 200)
            #expect(answer["Mcp-Session-Id"] == session)
            #expect(servers[0].requests.last?.headers["Mcp-Session-Id"] == id)
        }
    }

    @Test(
        "checklist 10: an id that no client could send back is the server's failure",
        arguments: ["", "a b", "é", String(repeating: "z", count: 4097)])
    func unusableIDs(_ id: String) async throws {
        try await withServers(extra: ExtraAnswers { _ in .json("{}", ["Mcp-Session-Id": id]) }) { gateway, _ in
            let answer = try await gateway.post(initializeRequest)
            #expect(answer.status == 502)
            #expect(answer.errorID == "1")
        }
    }

    @Test("checklist 40: batches pass where the revision has them, and nowhere else")
    func batches() async throws {
        try await withServers(
            extra: ExtraAnswers { request in
                String(buffer: request.body).contains("[{") ? .json("[]") : nil
            }
        ) { gateway, servers in
            let session = try await gateway.initialize()
            let batch = " [\(toolCall(id: "1")),\(toolCall(id: "2"))]"
            for headers in [[], ["MCP-Protocol-Version: 2025-03-26"]] {
                #expect(try await gateway.post(batch, headers + ["Mcp-Session-Id: \(session)"]).body == "[]")
                #expect(try await gateway.post(batch, headers).body == "[]")
            }
            let seen = servers[0].requests.count
            for version in ["2024-11-05", "2025-06-18", "2025-11-25", "2026-07-28"] {
                for extra in [["Mcp-Session-Id: \(session)"], []] {
                    let answer = try await gateway.post(batch, extra + ["MCP-Protocol-Version: \(version)"])
                    #expect(answer.status == 400, "\(version) \(extra)")
                    #expect(answer.errorCode == -32600)
                    #expect(answer.errorID == "null")
                    // The same in chunks.
                    let client = try await gateway.connect()
                    try await client.send(
                        "POST /adapters/a/mcp HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nMCP-Protocol-Version: \(version)\r\n"
                            + extra.map { $0 + "\r\n" }.joined()
                            + "\r\n1\r\n \r\n\(String(batch.utf8.count, radix: 16))\r\n\(batch)\r\n0\r\n\r\n")
                    let chunked = try await client.answer()
                    #expect(chunked.status == 400, "\(version) \(extra)")
                    #expect(chunked.errorCode == -32600)
                }
            }
            #expect(servers[0].requests.count == seen)
            for (body, code) in [
                ("[]", -32600), ("[\(initializeRequest)]", -32600), ("[1]", -32600), ("[", -32700), ("", -32700),
            ] {
                let answer = try await gateway.post(body)
                #expect(answer.status == 400, "\(body)")
                #expect(answer.errorCode == code, "\(body)")
            }
        }
    }

    @Test("checklist 15, 16: a session is of its principal, and every request says who sends it")
    func principals() async throws {
        try await withServers(authenticator: TestAuthenticator()) { gateway, _ in
            let session = try await gateway.initialize(["Authorization: Bearer ada"])
            let headers = ["Mcp-Session-Id: \(session)", "MCP-Protocol-Version: 2025-11-25"]
            #expect(try await gateway.post(toolCall(), headers + ["Authorization: Bearer ada"]).status == 200)
            let foreign = try await gateway.post(toolCall(), headers + ["Authorization: Bearer bob"])
            let unknown = try await gateway.post(
                toolCall(),
                ["Mcp-Session-Id: nonsense", "MCP-Protocol-Version: 2025-11-25", "Authorization: Bearer bob"])
            #expect(foreign.status == 404)
            #expect(foreign.body == unknown.body)
            for method in ["POST", "GET", "DELETE"] {
                let answer = try await gateway.send(
                    method, "/adapters/a/mcp", headers, method == "POST" ? toolCall() : "")
                #expect(answer.status == 401, "\(method)")
                #expect(answer.errorID == (method == "POST" ? "7" : "null"))
                let other = try await gateway.send(
                    method, "/adapters/a/mcp", headers + ["Authorization: Bearer bob"],
                    method == "POST" ? toolCall() : "")
                #expect(other.status == 404, "\(method)")
            }
            #expect(try await gateway.post(toolCall(), headers + ["Authorization: Bearer ada"]).status == 200)
        }
    }

    @Test("checklist 18: a session with an open stream is not idle")
    func openStream() async throws {
        try await withRawServer { gateway, server in
            let client = try await gateway.connect()
            try await client.send(gateway.request("POST", "/adapters/a/mcp", [], initializeRequest))
            let upstream = try await server.accept()
            _ = try await upstream.request()
            try await upstream.send("HTTP/1.1 200 OK\r\nMcp-Session-Id: x\r\nContent-Length: 2\r\n\r\n{}")
            let session = try #require(try await client.answer()["Mcp-Session-Id"])
            try await client.send(gateway.request("GET", "/adapters/a/mcp", ["Mcp-Session-Id: \(session)"]))
            _ = try await upstream.request()
            try await upstream.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n: hi\n\n")
            _ = try await client.receive { $0.contains(": hi") }
            let later = Timestamp(millisecondsSinceEpoch: .max / 2)
            #expect(gateway.plane.registry.expire(at: later) { _ in .seconds(1) } == 0)
            client.close()
            try await upstream.waitForEnd()
            try await eventually("the stream is over") { gateway.plane.registry.all.allSatisfy { $0.exchanges == 0 } }
            #expect(gateway.plane.registry.expire(at: later) { _ in .seconds(1) } == 1)
        }
    }

    @Test("requests of sessions are refused while the adapter needs a role that the principal has not")
    func roles() async throws {
        let server = TestServer("s")
        try await withHTTPServer(server.answer) { port in
            try await withGateway(authenticator: TestAuthenticator()) { gateway in
                try gateway.publish([.tcp(port)], roles: ["reader", "writer"])
                #expect(try await gateway.post(initializeRequest, ["Authorization: Bearer bob/writer"]).status == 200)
                #expect(try await gateway.post(initializeRequest, ["Authorization: Bearer ada"]).status == 200)
                for who in ["bob", "bob/other"] {
                    let answer = try await gateway.post(initializeRequest, ["Authorization: Bearer \(who)"])
                    #expect(answer.status == 403)
                    #expect(answer.errorID == "1")
                }
                #expect(try await gateway.send("GET", "/adapters/a/sse", ["Authorization: Bearer bob"]).status == 403)
            }
        }
    }
}
