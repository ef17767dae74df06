// SPDX-License-Identifier: MIT

import HTTP
import NIOConcurrencyHelpers
import NIOCore
import Testing

@testable import DataPlane

@Suite("Event streams")
struct EventStreamTests {
    static let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
    static let chunkedHead = head + "Transfer-Encoding: chunked\r\n\r\n"

    static func chunk(_ text: String) -> String { "\(String(text.utf8.count, radix: 16))\r\n\(text)\r\n" }

    @Test("checklist 33: an event is seen by the client before the next one is made, however it is cut")
    func eventByEvent() async throws {
        try await withRawServer { gateway, server in
            let client = try await gateway.connect()
            try await client.send(gateway.request("POST", "/adapters/a/mcp", modernHeaders(), modernRequest()))
            let upstream = try await server.accept()
            _ = try await upstream.request()
            try await upstream.send(Self.chunkedHead)
            let head = try await client.head()
            #expect(head["Content-Type"] == "text/event-stream")
            #expect(head["X-Accel-Buffering"] == "no")
            #expect(head["Cache-Control"] == "no-cache")
            #expect(head["Content-Length"] == nil)
            let events = [
                "id: 1\nretry: 50\ndata:\n\n", ": comment\n\n", "event: message\r\ndata: {\"a\":\r\ndata: 1}\r\n\r\n",
                "data: \u{FEFF}é\n\n", "id\ndata: last\rdata: more\r\r",
            ]
            for event in events {
                for half in [event.utf8.prefix(event.utf8.count / 2), event.utf8.dropFirst(event.utf8.count / 2)] {
                    let bytes = Array(half)
                    try await upstream.send(Array("\(String(bytes.count, radix: 16))\r\n".utf8) + bytes + [13, 10])
                    let seen = try await client.take { seen, isEnd in
                        isEnd || seen.count >= bytes.count + 5 ? seen.count : nil
                    }
                    #expect(seen.dropLast(2).suffix(bytes.count).elementsEqual(bytes))
                }
            }
            try await upstream.send("0\r\n\r\n")
            #expect(try await client.receive { $0.hasSuffix("0\r\n\r\n") } == "0\r\n\r\n")
            #expect(!client.hasEnded)
        }
    }

    @Test("checklist 33: a stream cut between any two bytes passes unchanged")
    func anyCut() async throws {
        let stream = "id: 1\r\ndata:\r\n\r\n: c\n\ndata: é\n\n"
        let wire = Self.chunkedHead + Self.chunk(stream) + "0\r\n\r\n"
        try await withRawServer(configure: Settings { $0.upstreamIdleTimeout = .hours(1) }) { gateway, server in
            let client = try await gateway.connect()
            var upstream: RawConnection?
            for cut in stride(from: 1, to: wire.utf8.count - 1, by: 1) {
                try await client.send(gateway.request("POST", "/adapters/a/mcp", modernHeaders(), modernRequest()))
                let connection = if let upstream { upstream } else { try await server.accept() }
                upstream = connection
                _ = try await connection.request()
                try await connection.send(Array(wire.utf8.prefix(cut)))
                // A round trip over another connection gives the first part time to be read on its own.
                _ = try await gateway.send("GET", "/health")
                try await connection.send(Array(wire.utf8.dropFirst(cut)))
                let answer = try await client.answer()
                #expect(answer.body == stream, "cut at \(cut)")
                #expect(!answer.isCutOff)
            }
        }
    }

    @Test("checklist 33: headers that the server sends itself are not doubled")
    func ownHeaders() async throws {
        try await withRawServer { gateway, server in
            let client = try await gateway.connect()
            try await client.send(gateway.request("POST", "/adapters/a/mcp", modernHeaders(), modernRequest()))
            let upstream = try await server.accept()
            _ = try await upstream.request()
            try await upstream.send(
                "HTTP/1.1 200 OK\r\nCONTENT-TYPE: Text/Event-Stream; charset=utf-8\r\nCache-Control: no-store\r\nx-accel-buffering: yes\r\nContent-Length: 3\r\n\r\n:\n\n"
            )
            let answer = try await client.answer()
            #expect(answer.values(of: "Cache-Control") == ["no-store"])
            #expect(answer.values(of: "X-Accel-Buffering") == ["yes"])
            #expect(answer.body == ":\n\n")
        }
    }

    @Test("checklist 34: JSON stays JSON, and has no headers of streams")
    func json() async throws {
        try await withServers { gateway, _ in
            let answer = try await gateway.post(modernRequest(), modernHeaders() + ["Accept: text/event-stream"])
            #expect(answer["Content-Type"] == "application/json")
            #expect(answer["X-Accel-Buffering"] == nil)
            #expect(answer["Cache-Control"] == nil)
        }
    }

    @Test("checklist 33: the server is not asked to compress, and what it compresses all the same is left alone")
    func compression() async throws {
        try await withRawServer(configure: Settings { $0.keepAliveInterval = .milliseconds(40) }) { gateway, server in
            let client = try await gateway.connect()
            try await client.send(
                gateway.request(
                    "POST", "/adapters/a/mcp", modernHeaders() + ["Accept-Encoding: gzip, br"], modernRequest()))
            let upstream = try await server.accept()
            #expect(try await upstream.request()["Accept-Encoding"] == nil)
            try await upstream.send(
                Self.head + "Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
            _ = try await client.receive { $0.hasSuffix("abc\r\n") }
            // A second stream gets comments meanwhile; this one must not.
            let other = try await gateway.connect()
            try await other.send(gateway.request("POST", "/adapters/a/mcp", modernHeaders(), modernRequest()))
            let otherUpstream = try await server.accept()
            _ = try await otherUpstream.request()
            try await otherUpstream.send(Self.chunkedHead)
            _ = try await other.receive { $0.components(":\r\n\r\n").count > 3 }
            try await upstream.send("0\r\n\r\n")
            #expect(try await client.receive { $0.hasSuffix("\r\n\r\n") } == "0\r\n\r\n")
        }
    }

    @Test("checklist 8: GET with Last-Event-ID reaches the session's instance with it")
    func resumption() async throws {
        try await withServers(3) { gateway, servers in
            let session = try await gateway.initialize()
            let owner = try #require(servers.first { !$0.requests.isEmpty })
            _ = try await gateway.send(
                "GET", "/adapters/a/mcp",
                ["Mcp-Session-Id: \(session)", "Last-Event-ID: a/1", "Accept: text/event-stream"])
            let seen = try #require(owner.requests.last)
            #expect(seen.method == "GET")
            #expect(seen.headers["Last-Event-ID"] == "a/1")
            #expect(seen.headers["Mcp-Session-Id"]?.hasPrefix(owner.name) ?? false)
        }
    }

    @Test("checklist 19, 35: a client's hang-up reaches the server at once, on GET and on POST of both eras")
    func hangUp() async throws {
        try await withRawServer { gateway, server in
            for text in [
                gateway.request("GET"), gateway.request("POST", "/adapters/a/mcp", [], toolCall()),
                gateway.request("POST", "/adapters/a/mcp", modernHeaders(), modernRequest()),
                gateway.request("GET", "/adapters/a/sse"),
            ] {
                for answersFirst in [true, false] {
                    let client = try await gateway.connect()
                    try await client.send(text)
                    let upstream = try await server.accept()
                    _ = try await upstream.request()
                    if answersFirst {
                        try await upstream.send(Self.chunkedHead + Self.chunk(": hi\n\n"))
                        _ = try await client.receive { $0.contains(": hi") }
                    }
                    client.close()
                    try await upstream.waitForEnd()
                }
            }
            #expect(server.waitingCount == 0, "nothing else was sent, such as a cancellation")
        }
    }

    @Test("checklist 37: a silent stream gets comments, between events only")
    func keepAlive() async throws {
        try await withRawServer(configure: Settings { $0.keepAliveInterval = .milliseconds(40) }) { gateway, server in
            let client = try await gateway.connect()
            try await client.send(gateway.request("GET"))
            let upstream = try await server.accept()
            _ = try await upstream.request()
            try await upstream.send(Self.chunkedHead)
            _ = try await client.head()
            _ = try await client.receive { $0.components(":\r\n\r\n").count > 2 }
            // Within an event there are none: a second stream shows that time goes on.
            try await upstream.send(Self.chunk("data: a\n"))
            _ = try await client.receive { $0.contains("data: a\n") }
            let other = try await gateway.connect()
            try await other.send(gateway.request("GET"))
            let otherUpstream = try await server.accept()
            _ = try await otherUpstream.request()
            try await otherUpstream.send(Self.chunkedHead)
            _ = try await other.receive { $0.components(":\r\n\r\n").count > 3 }
            try await upstream.send(Self.chunk("data: b\n\n"))
            let rest = try await client.receive { $0.contains("data: b\n\n") }
            #expect(rest.hasPrefix(Self.chunk("data: b\n\n")))
            _ = try await client.receive { $0.contains(":\r\n\r\n") }
        }
    }

    @Test("checklist 36: a stream that ends after an event with an id ends cleanly")
    func polling() async throws {
        try await withRawServer { gateway, server in
            for ending in ["chunked", "close"] {
                let client = try await gateway.connect()
                try await client.send(gateway.request("POST", "/adapters/a/mcp", [], toolCall()))
                let upstream = try await server.accept()
                _ = try await upstream.request()
                if ending == "chunked" {
                    try await upstream.send(Self.chunkedHead + Self.chunk("id: 1\nretry: 5\ndata:\n\n") + "0\r\n\r\n")
                } else {
                    try await upstream.send(Self.head + "\r\nid: 1\nretry: 5\ndata:\n\n")
                }
                upstream.close()
                let answer = try await client.answer()
                #expect(answer.body == "id: 1\nretry: 5\ndata:\n\n")
                #expect(!answer.isCutOff)
            }
        }
    }

    /// How a stream breaks off, what the client sees of it, and whether it ends cleanly.
    struct Break: Sendable {
        var what: String
        var request: (path: String, headers: [String], body: String)
        var events: String
        var error: String?
    }

    static let failure =
        #"{"jsonrpc":"2.0","id":7,"error":{"code":-32603,"message":"The server failed before it answered","data":{"gateway":"upstreamFailed"}}}"#

    static let breaks = [
        Break(
            what: "modern", request: ("", modernHeaders(), modernRequest()), events: "data: 1\n\n", error: failure),
        Break(
            what: "modern, ids mean nothing", request: ("", modernHeaders(), modernRequest()),
            events: "id: 1\ndata: 1\n\n", error: failure),
        Break(
            what: "modern, before any event", request: ("", modernHeaders(), modernRequest()), events: "",
            error: failure),
        Break(
            what: "modern, within an event", request: ("", modernHeaders(), modernRequest()), events: "data: 1\n",
            error: nil),
        Break(
            what: "modern listen",
            request: (
                "", modernHeaders("subscriptions/listen", name: nil), modernRequest("subscriptions/listen", params: "")
            ),
            events: "data: 1\n\n", error: nil),
        Break(what: "legacy, no session", request: ("", [], toolCall()), events: "data: 1\n\n", error: failure),
        Break(what: "legacy, resumable", request: ("", [], toolCall()), events: "id: 1\ndata:\n\n", error: nil),
        Break(
            what: "legacy in a session", request: ("session", ["MCP-Protocol-Version: 2025-11-25"], toolCall()),
            events: "data: 1\n\n", error: failure),
        Break(
            what: "legacy in a session, resumable", request: ("session", [], toolCall()), events: "id: 1\ndata:\n\n",
            error: nil),
        Break(
            what: "legacy notification", request: ("session", [], #"{"jsonrpc":"2.0","method":"x"}"#),
            events: "data: 1\n\n", error: nil),
    ]

    @Test(
        "a server that dies within a stream: an error where the client could wait forever, otherwise a broken end",
        arguments: [true, false])
    func death(byReset: Bool) async throws {
        try await withRawServer { gateway, server in
            for what in Self.breaks {
                let session = try await begin(gateway, server)
                let headers =
                    what.request.headers + (what.request.path == "session" ? ["Mcp-Session-Id: \(session)"] : [])
                let client = try await gateway.connect()
                try await client.send(gateway.request("POST", "/adapters/a/mcp", headers, what.request.body))
                let upstream = try await server.accept()
                _ = try await upstream.request()
                try await upstream.send(Self.chunkedHead + (what.events.isEmpty ? "" : Self.chunk(what.events)))
                _ = try await client.receive { $0.hasSuffix("\r\n") && $0.contains(what.events) }
                if byReset { try await upstream.reset() } else { upstream.close() }
                if let error = what.error {
                    let rest = try await client.receive { $0.hasSuffix("\r\n0\r\n\r\n") }
                    #expect(rest.contains("data: \(error)\n\n"), "\(what.what): \(rest)")
                    #expect(!client.hasEnded, "\(what.what)")
                } else {
                    #expect(try await client.receiveAll() == "", "\(what.what)")
                }
            }
        }
    }

    /// A session whose upstream connection is closed again.
    private func begin(_ gateway: TestGateway, _ server: RawServer) async throws -> String {
        async let session = gateway.initialize()
        let upstream = try await server.accept()
        _ = try await upstream.request()
        try await upstream.send(
            "HTTP/1.1 200 OK\r\nMcp-Session-Id: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}")
        return try await session
    }

    @Test("a GET stream that breaks off is broken off for the client too")
    func getDeath() async throws {
        try await withRawServer { gateway, server in
            let client = try await gateway.connect()
            try await client.send(gateway.request("GET"))
            let upstream = try await server.accept()
            _ = try await upstream.request()
            try await upstream.send(Self.chunkedHead + Self.chunk("data: 1\n\n"))
            upstream.close()
            let answer = try await client.answer()
            #expect(answer.isCutOff)
        }
    }
}
