// SPDX-License-Identifier: MIT

import HTTP
import MCPProtocol
import NIOConcurrencyHelpers
import Testing

@Suite("Legacy sessions")
struct LegacySessionTests {
    @Test("a session stays on its instance and its id is not the server's")
    func affinity() async throws {
        let servers = (0..<3).map { TestServer("s\($0)") }
        try await withHTTPServer(servers[0].answer) { first in
            try await withHTTPServer(servers[1].answer) { second in
                try await withHTTPServer(servers[2].answer) { third in
                    try await withGateway { gateway in
                        try gateway.publish([(first, "i0"), (second, "i1"), (third, "i2")])
                        var sessions: [String] = []
                        for _ in 0..<9 { sessions.append(try await gateway.initialize()) }
                        #expect(Set(sessions).count == 9)
                        #expect(sessions.allSatisfy { !$0.hasPrefix("s") || $0.count > 20 })
                        // Fewest sessions first: each instance has three.
                        for server in servers { #expect(server.seen.withLockedValue { $0.count } == 3) }
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
            }
        }
    }

    @Test("an unknown session, or one whose instance is gone, is answered 404 with the request's id")
    func notFound() async throws {
        let server = TestServer("s")
        try await withHTTPServer(server.answer) { port in
            try await withGateway { gateway in
                try gateway.publish([(port, "before")])
                let session = try await gateway.initialize()
                #expect(try await gateway.call(session).status == 200)
                try gateway.publish([(port, "after")])
                for id in [session, "nonsense", String(session.dropLast()) + "A"] {
                    let answer = try await gateway.call(id, id: "\"x\"")
                    #expect(answer.status == 404)
                    #expect(
                        answer.body
                            == #"{"jsonrpc":"2.0","id":"x","error":{"code":-32001,"message":"Session not found"}}"#)
                }
                let get = try await gateway.send("GET", "/adapters/a/mcp", ["Mcp-Session-Id: \(session)"])
                #expect(get.status == 404)
            }
        }
    }

    @Test("two gateways with the same keys route each other's sessions, others don't")
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

    @Test("without an instance the answer is 503 with Retry-After, never a 4xx")
    func unavailable() async throws {
        try await withGateway { gateway in
            try gateway.publish([])
            let answer = try await gateway.send("POST", "/adapters/a/mcp", [], initializeRequest)
            #expect(answer.status == 503)
            #expect(answer["Retry-After"] == "1")
            #expect(answer.body.contains("\"id\":1,"))
        }
    }

    @Test("DELETE ends the session, which is unknown afterwards")
    func delete() async throws {
        let server = TestServer("s")
        try await withHTTPServer(server.answer) { port in
            try await withGateway { gateway in
                try gateway.publish([(port, "i")])
                let session = try await gateway.initialize()
                #expect(
                    try await gateway.send("DELETE", "/adapters/a/mcp", ["Mcp-Session-Id: \(session)"]).status == 200)
                #expect(try await gateway.call(session).status == 404)
            }
        }
    }

    @Test("a server that issues no session id works, unpinned")
    func stateless() async throws {
        let server = TestServer("s") { request in
            request.headers["Mcp-Session-Id"] == nil ? .json(#"{"jsonrpc":"2.0","id":1,"result":{}}"#) : nil
        }
        try await withHTTPServer(server.answer) { port in
            try await withGateway { gateway in
                try gateway.publish([(port, "i")])
                let answer = try await gateway.send("POST", "/adapters/a/mcp", [], initializeRequest)
                #expect(answer.status == 200)
                #expect(answer["Mcp-Session-Id"] == nil)
            }
        }
    }
}
