// SPDX-License-Identifier: MIT

import HTTP
import MCPProtocol
import Model
import NIOConcurrencyHelpers
import NIOCore
import RuntimeContract
import Testing

@testable import DataPlane

@Suite("Session recovery")
struct RecoveryTests {
    private static let terms =
        #"{"protocolVersion":"2025-11-25","capabilities":{"tools":{"listChanged":true},"logging":{}}}"#
    /// The same in another order.
    private static let sameTerms =
        #"{"serverInfo":{"name":"b"},"capabilities":{"logging":{},"tools":{"listChanged":true}},"protocolVersion":"2025-11-25"}"#

    private static let initialized = #"{"jsonrpc":"2.0","method":"notifications/initialized"}"#

    private static func headers(_ session: String) -> [String] {
        ["Mcp-Session-Id: \(session)", "MCP-Protocol-Version: 2025-11-25"]
    }

    /// Runs two servers, on which sessions live with names that begin with `s0` and `s1`.
    private func withPair(
        _ results: [String] = [RecoveryTests.terms, RecoveryTests.sameTerms],
        extra: @escaping @Sendable (HTTPRequest) -> HTTPResponse? = { _ in nil },
        configure: Settings = Settings { _ in },
        _ body: @escaping @Sendable (TestGateway, [TestServer], [Int]) async throws -> Void
    ) async throws {
        let servers = results.enumerated().map { TestServer("s\($0)", result: $1, extra: extra) }
        try await withHTTPServer(servers[0].answer) { first in
            try await withHTTPServer(servers[1].answer) { second in
                try await withGateway(configure: configure) { gateway in
                    try await body(gateway, servers, [first, second])
                }
            }
        }
    }

    @Test("a session goes on under its id on another instance, after the client's own handshake")
    func goesOn() async throws {
        try await withPair { gateway, servers, ports in
            try gateway.publish([.tcp(ports[0], "one")], recovery: .reinitialize)
            let session = try await gateway.initialize(["X-Key: secret", "Accept: text/event-stream, application/json"])
            #expect(try await gateway.post(Self.initialized, Self.headers(session)).status == 200)
            #expect(try await gateway.call(session).body.contains("s0-0 call 2"))

            try gateway.publish([.tcp(ports[1], "two")], recovery: .reinitialize)
            let answer = try await gateway.call(session)
            #expect(answer.status == 200)
            #expect(answer["Mcp-Session-Id"] == session)
            #expect(answer.body.contains("s1-0 call 2"))
            #expect(answer.errorID == "7")
            let seen = servers[1].requests
            #expect(seen.map { String(buffer: $0.body) } == [initializeRequest, Self.initialized, toolCall()])
            #expect(seen.map { $0.headers["X-Key"] } == ["secret", "secret", nil])
            #expect(seen.map { $0.headers["Mcp-Session-Id"] } == [nil, "s1-0", "s1-0"])
            #expect(seen.map { $0.headers["MCP-Protocol-Version"] } == [nil, "2025-11-25", "2025-11-25"])
            #expect(seen[0].headers["Accept"] == "text/event-stream, application/json")
            // It is counted where it lives, and it ends like any other.
            #expect(gateway.plane.registry.all.map(\.incarnation) == [Incarnation("two")])
            #expect(try await gateway.send("DELETE", "/adapters/a/mcp", Self.headers(session)).status == 200)
            #expect(try await gateway.call(session).status == 404)
            #expect(gateway.plane.registry.memories.count == 0)
        }
    }

    @Test("without recovery a lost session is 404, and nothing is remembered")
    func notAskedFor() async throws {
        try await withPair { gateway, servers, ports in
            try gateway.publish([.tcp(ports[0], "one")])
            let session = try await gateway.initialize()
            try gateway.publish([.tcp(ports[1], "two")], recovery: .reinitialize)
            #expect(try await gateway.call(session).status == 404)
            #expect(gateway.plane.registry.memories.count == 0)
            #expect(servers[1].requests.isEmpty)
        }
    }

    @Test("a server that answers 404 for the session is asked to begin it anew, and then the request once more")
    func deniedByServer() async throws {
        let knows = NIOLockedValueBox(true)
        let forgetful: @Sendable (HTTPRequest) -> HTTPResponse? = { request in
            guard request.headers["Mcp-Session-Id"] == "s0-0", !knows.withLockedValue({ $0 }) else { return nil }
            return HTTPResponse(status: 404)
        }
        try await withPair(extra: forgetful) { gateway, _, ports in
            try gateway.publish([.tcp(ports[0], "one")], recovery: .reinitialize)
            let session = try await gateway.initialize()
            knows.withLockedValue { $0 = false }
            // Nobody needs a new session to have no standing stream, nor to end the old one.
            #expect(try await gateway.send("GET", "/adapters/a/mcp", Self.headers(session)).status == 404)
            let answer = try await gateway.call(session)
            #expect(answer.status == 200)
            #expect(answer.body.contains("s0-1 call 1"))
            #expect(try await gateway.call(session).body.contains("s0-1 call 2"))
        }
    }

    @Test(
        "a server that agrees to something else does not take the session on: 404",
        arguments: [
            #"{"protocolVersion":"2025-06-18","capabilities":{"tools":{"listChanged":true},"logging":{}}}"#,
            #"{"protocolVersion":"2025-11-25","capabilities":{"tools":{},"logging":{}}}"#, "{}",
        ])
    func otherTerms(result: String) async throws {
        try await withPair([Self.terms, result]) { gateway, servers, ports in
            try gateway.publish([.tcp(ports[0], "one")], recovery: .reinitialize)
            let session = try await gateway.initialize()
            try gateway.publish([.tcp(ports[1], "two")], recovery: .reinitialize)
            for _ in 0..<2 {
                let answer = try await gateway.call(session)
                #expect(answer.status == 404)
                #expect(answer.errorID == "7")
                #expect(answer.errorCode == -32001)
            }
            #expect(servers[1].requests.count { $0.method == "POST" } == 1, "it is tried once")
        }
    }

    @Test("many requests of one session begin it anew once, and requests of all kinds go on")
    func singleFlight() async throws {
        try await withPair { gateway, servers, ports in
            try gateway.publish([.tcp(ports[0], "one")], recovery: .reinitialize)
            let session = try await gateway.initialize()
            let other = try await gateway.initialize()
            try gateway.publish([.tcp(ports[1], "two")], recovery: .reinitialize)
            try await withThrowingTaskGroup(of: Int.self) { group in
                for index in 0..<40 {
                    group.addTask { try await gateway.call(index % 4 == 0 ? other : session, id: "\(index)").status }
                }
                for try await status in group { #expect(status == 200) }
            }
            let begun = servers[1].requests.count { String(buffer: $0.body) == initializeRequest }
            #expect(begun == 2)
        }
    }

    @Test(
        "a request waits for an instance that is being started, whatever its framing, and 503 is the answer in the end")
    func waitsForInstance() async throws {
        try await withPair(configure: Settings { $0.startTimeout = .milliseconds(300) }) { gateway, _, ports in
            try gateway.publish([.tcp(ports[0], "one")], recovery: .reinitialize)
            let session = try await gateway.initialize()
            try gateway.publish([], recovery: .reinitialize)
            let late = try await gateway.call(session)
            #expect(late.status == 503)
            #expect(late["Retry-After"] == "1")
            #expect(late.errorID == "7")
        }
        try await withPair { gateway, _, ports in
            try gateway.publish([.tcp(ports[0], "one")], recovery: .reinitialize)
            let session = try await gateway.initialize()
            try gateway.publish([], recovery: .reinitialize)
            let client = try await gateway.connect()
            let body = toolCall(id: "\"chunked\"")
            try await client.send(
                "POST /adapters/a/mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n"
                    + Self.headers(session).joined(separator: "\r\n")
                    + "\r\n\r\n\(String(body.utf8.count, radix: 16))\r\n\(body)\r\n")
            try await eventually("the request waits") { try await gateway.plane.recoveringRequests() == 1 }
            try gateway.publish([.tcp(ports[1], "two")], recovery: .reinitialize)
            try await client.send("0\r\n\r\n")
            let answer = try await client.answer()
            #expect(answer.status == 200)
            #expect(answer.body.contains("s1-0 call 1"))
            #expect(answer.errorID == "\"chunked\"")
        }
    }

    @Test("what may have run is not sent again, unless it reads only or its tool says that it may")
    func outcomeUnknown() async throws {
        let tools =
            #"{"tools":[{"name":"look","annotations":{"readOnlyHint":true}},{"name":"put","annotations":{"idempotentHint":true}},{"name":"pay","annotations":{"readOnlyHint":false}}]}"#
        let listing: @Sendable (HTTPRequest) -> HTTPResponse? = { request in
            let text = String(buffer: request.body)
            if text.contains("tools/list") { return .json(#"{"jsonrpc":"2.0","id":7,"result":\#(tools)}"#) }
            return nil
        }
        try await withPair(extra: listing) { gateway, servers, ports in
            let dying = try await RawServer.listen()
            try gateway.publish([.tcp(ports[0], "one")], recovery: .reinitialize)
            let session = try await gateway.initialize()
            let list = #"{"jsonrpc":"2.0","id":7,"method":"tools/list"}"#
            #expect(try await gateway.post(list, Self.headers(session)).body.contains("readOnlyHint"))
            for (index, (tool, expected)) in [("look", 200), ("pay", 502), ("put", 200), ("unheard-of", 502)]
                .enumerated()
            {
                // The session moves to a server that takes the call and dies.
                try gateway.publish([.tcp(dying.port, "dying\(index)")], recovery: .reinitialize)
                async let answer = gateway.post(toolCall(name: tool), Self.headers(session))
                let handshake = try await dying.accept()
                _ = try await handshake.request()
                let agreed = #"{"jsonrpc":"2.0","id":1,"result":\#(Self.terms)}"#
                try await handshake.send(
                    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nMcp-Session-Id: d\(index)\r\nContent-Length: \(agreed.utf8.count)\r\n\r\n\(agreed)"
                )
                let carrier = try await dying.accept()
                #expect(try await carrier.request()["Mcp-Session-Id"] == "d\(index)")
                try gateway.publish([.tcp(ports[1], "next\(index)")], recovery: .reinitialize)
                try await carrier.reset()
                let got = try await answer
                #expect(got.status == expected, "\(tool)")
                #expect(got.errorID == "7")
                if expected == 502 {
                    #expect(got.body.contains("outcomeUnknown"))
                    #expect(try await gateway.call(session).status == 200, "the session itself goes on")
                }
            }
            #expect(servers[1].requests.contains { String(buffer: $0.body).contains("look") })
            #expect(!servers[1].requests.contains { String(buffer: $0.body).contains("pay") })
        }
    }

    @Test("a stream without an event so far goes on with the new instance; otherwise it ends with the outcome unknown")
    func streams() async throws {
        let tools = #"{"tools":[{"name":"look","annotations":{"readOnlyHint":true}}]}"#
        let listing: @Sendable (HTTPRequest) -> HTTPResponse? = { request in
            String(buffer: request.body).contains("tools/list")
                ? .json(#"{"jsonrpc":"2.0","id":7,"result":\#(tools)}"#) : nil
        }
        try await withPair(extra: listing) { gateway, _, ports in
            let dying = try await RawServer.listen()
            try gateway.publish([.tcp(ports[0], "one")], recovery: .reinitialize)
            let session = try await gateway.initialize()
            let list = #"{"jsonrpc":"2.0","id":7,"method":"tools/list"}"#
            #expect(try await gateway.post(list, Self.headers(session)).status == 200)
            for (index, (tool, event)) in [("look", ""), ("pay", ""), ("look", "data: {}\n\n")].enumerated() {
                try gateway.publish([.tcp(dying.port, "dying\(index)")], recovery: .reinitialize)
                let client = try await gateway.connect()
                try await client.send(
                    gateway.request("POST", "/adapters/a/mcp", Self.headers(session), toolCall(name: tool)))
                let handshake = try await dying.accept()
                _ = try await handshake.request()
                let agreed = "event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\(Self.terms)}\n\n"
                // A stream that is let stand.
                try await handshake.send(
                    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nMcp-Session-Id: d\(index)\r\nTransfer-Encoding: chunked\r\n\r\n\(String(agreed.utf8.count, radix: 16))\r\n\(agreed)\r\n"
                )
                let carrier = try await dying.accept()
                _ = try await carrier.request()
                let chunk = event.isEmpty ? "" : "\(String(event.utf8.count, radix: 16))\r\n\(event)\r\n"
                try await carrier.send(
                    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n\(chunk)")
                #expect(try await client.head().status == 200)
                try gateway.publish([.tcp(ports[1], "next\(index)")], recovery: .reinitialize)
                try await carrier.reset()
                let rest = try await client.receive { $0.contains("\r\n0\r\n\r\n") }
                if tool == "look", event.isEmpty {
                    #expect(rest.contains("event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":7,\"result\":\"s1-"))
                } else {
                    #expect(rest.contains("outcomeUnknown"))
                    #expect(rest.contains("\"id\":7"))
                }
                #expect(try await gateway.call(session).status == 200)
            }
        }
    }

    @Test("what no connection was made for is sent when the instance turns out to be gone")
    func connectRefused() async throws {
        try await withPair { gateway, _, ports in
            let gone = try await RawServer.listen()
            try gateway.publish([.tcp(ports[0], "one")], recovery: .reinitialize)
            let session = try await gateway.initialize()
            try await gone.close()
            // The same life of the instance, that nobody answers for any more.
            try gateway.publish([.tcp(gone.port, "one")], recovery: .reinitialize)
            async let answer = gateway.call(session)
            try await eventually("the request waits") { try await gateway.plane.recoveringRequests() == 1 }
            try gateway.publish([.tcp(ports[1], "two")], recovery: .reinitialize)
            #expect(try await answer.status == 200)
        }
    }

    @Test("a memory ends with the adapter's recovery, with time, and when another session takes its id")
    func forgetting() throws {
        let memories = SessionMemories()
        let name = try #require(AdapterName("a"))
        func memory(_ number: UInt128, at now: Int64 = 0) throws -> SessionMemory {
            SessionMemory(
                fingerprint: SessionFingerprint(value: number), adapter: name, principal: "ada",
                handshake: .init(target: [], fields: [], initialize: [1]),
                binding: try #require(
                    SessionBinding(
                        kind: .streamable, ordinal: 0, incarnation: IncarnationDigest("i"), upstream: [65])),
                now: now)
        }
        let first = try memory(1)
        let second = try memory(1)
        #expect(memories.insert(first))
        #expect(memories.insert(second))
        #expect(first.binding == nil)
        #expect(memories.find(second.fingerprint) === second)
        #expect(memories.insert(try memory(2, at: 50)))
        memories.expire(at: 100) { _ in 60 }
        #expect(memories.count == 1)
        #expect(second.binding == nil)
        memories.forget(allBut: [])
        #expect(memories.count == 0)
    }
}
