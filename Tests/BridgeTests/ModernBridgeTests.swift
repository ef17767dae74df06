// SPDX-License-Identifier: MIT

import Testing

@testable import Bridge

@Suite("A modern client and the bridge", .serialized)
struct ModernBridgeTests {
    @Test("a call is answered with JSON, its id as it was, and no session")
    func call() async throws {
        try await RunningBridge.with("modern") { bridge in
            let reply = try await bridge.modern(
                "tools/call", id: #""x-1""#, name: "echo", params: #""arguments":{"a":1},"#)
            #expect(reply.status == 200)
            #expect(reply.headers["content-type"] == "application/json")
            #expect(reply.headers["mcp-session-id"] == nil)
            #expect(reply.body == #"{"jsonrpc": "2.0", "id": "x-1", "result": {"text": {"a": 1}}}"#)
        }
    }

    @Test("clients of one principal share a process, those of another don't")
    func sharing() async throws {
        try await RunningBridge.with("modern") { bridge in
            for (principal, count) in [(nil, 1), (nil, 2), ("a", 1), ("a", 2), ("b", 1), (nil, 3)] as [(String?, Int)] {
                let reply = try await bridge.modern("tools/call", name: "count", principal: principal)
                #expect(reply.body.contains(#""text": \#(count)}"#))
            }
        }
    }

    @Test("two clients with the same id and token at the same time get their own messages")
    func disjoint() async throws {
        try await RunningBridge.with("modern") { bridge in
            let first = try await bridge.openModern("tools/call", id: "1", name: "progress-then-hold", token: #""t""#)
            let second = try await bridge.openModern("tools/call", id: "1", name: "progress-then-hold", token: "5")
            let one = try await first.reply { $0.messages.count == 1 }
            let two = try await second.reply { $0.messages.count == 1 }
            #expect(one.headers["content-type"] == "text/event-stream")
            #expect(one.messages[0].contains(#""progressToken": "t""#))
            #expect(two.messages[0].contains(#""progressToken": 5"#))
            #expect(one.events.allSatisfy { $0.id == nil })
            _ = try await bridge.modern("tools/call", id: "1", name: "release")
            for conversation in [first, second] {
                let done = try await conversation.reply { $0.isComplete }
                #expect(done.messages.last == #"{"jsonrpc": "2.0", "id": 1, "result": {"text": "released"}}"#)
            }
        }
    }

    @Test("a client that leaves cancels its request")
    func cancellation() async throws {
        try await RunningBridge.with("modern") { bridge in
            let call = try await bridge.openModern("tools/call", id: #""c""#, name: "progress-then-hold", token: "1")
            _ = try await call.reply { $0.messages.count == 1 }
            call.close()
            try await RunningBridge.eventually("the child did not hear of it") {
                try await bridge.modern("tools/call", name: "cancelled").body.contains(#""text": [1]"#)
            }
        }
    }

    @Test("a POSTed cancellation can't cancel what another client asked for")
    func foreignCancellation() async throws {
        try await RunningBridge.with("modern") { bridge in
            let call = try await bridge.openModern("tools/call", id: "1", name: "progress-then-hold", token: "1")
            _ = try await call.reply { $0.messages.count == 1 }
            let headers =
                clientHeaders + [("MCP-Protocol-Version", "2026-07-28"), ("Mcp-Method", "notifications/cancelled")]
            let reply = try await bridge.client.send(
                "POST", headers: headers,
                body: #"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#)
            #expect(reply.status == 202)
            let seen = try await bridge.modern("tools/call", name: "cancelled")
            #expect(seen.body.contains(#""text": []"#))
            call.close()
        }
    }

    @Test("errors have the status that belongs to their code")
    func errors() async throws {
        try await RunningBridge.with("modern") { bridge in
            #expect(try await bridge.modern("tools/call", name: "unknown").status == 404)
            #expect(try await bridge.modern("tools/call", name: "wrong").status == 400)
            let mismatch = try await bridge.client.send(
                "POST",
                headers: clientHeaders + [
                    ("MCP-Protocol-Version", "2026-07-28"), ("Mcp-Method", "tools/call"), ("Mcp-Name", "other"),
                ], body: modernRequest("tools/call", id: "8", name: "echo", params: "", token: nil))
            #expect(mismatch.status == 400)
            #expect(mismatch.body.contains("-32020") && mismatch.body.contains(#""id":8"#))
        }
    }

    @Test("a subscription carries the client's own id, and news reach each subscriber once")
    func subscriptions() async throws {
        try await RunningBridge.with("modern") { bridge in
            let first = try await bridge.openModern("subscriptions/listen", id: #""sub""#)
            let second = try await bridge.openModern("subscriptions/listen", id: "9")
            for (conversation, id) in [(first, #""sub""#), (second, "9")] {
                let reply = try await conversation.reply { $0.messages.count == 1 }
                #expect(reply.messages[0].contains("acknowledged"))
                #expect(reply.messages[0].contains(#""io.modelcontextprotocol/subscriptionId": \#(id)"#))
            }
            let call = try await bridge.modern("tools/call", name: "news")
            #expect(call.messages.allSatisfy { !$0.contains("subscriptionId") })
            for (conversation, id) in [(first, #""sub""#), (second, "9")] {
                let reply = try await conversation.reply { $0.messages.count == 2 }
                #expect(reply.messages[1].contains(#""io.modelcontextprotocol/subscriptionId": \#(id)"#))
            }
            first.close()
            second.close()
        }
    }

    @Test("a quiet stream is kept alive with comments")
    func keepAlive() async throws {
        try await RunningBridge.with("modern", Configure { $0.keepAliveInterval = .milliseconds(100) }) { bridge in
            let stream = try await bridge.openModern("subscriptions/listen", id: "1")
            _ = try await stream.reply { $0.body.contains(":\n\n:\n\n") }
            stream.close()
        }
    }

    @Test("a call that takes long becomes a stream")
    func slowCall() async throws {
        try await RunningBridge.with("modern", Configure { $0.keepAliveInterval = .milliseconds(100) }) { bridge in
            let call = try await bridge.openModern("tools/call", id: "1", name: "hold")
            _ = try await call.reply { $0.body.contains(":\n\n") }
            _ = try await bridge.modern("tools/call", id: "2", name: "release")
            let done = try await call.reply { $0.isComplete }
            #expect(done.messages == [#"{"jsonrpc": "2.0", "id": 1, "result": {"text": "released"}}"#])
        }
    }

    @Test("a child that dies fails its calls with their own ids, and the next call finds a new one")
    func respawn() async throws {
        try await RunningBridge.with("modern") { bridge in
            let held = try await bridge.openModern("tools/call", id: #""h""#, name: "progress-then-hold", token: "1")
            _ = try await held.reply { $0.messages.count == 1 }
            let listening = try await bridge.openModern("subscriptions/listen", id: "3")
            _ = try await listening.reply { $0.messages.count == 1 }
            let reply = try await bridge.modern("tools/call", id: "2", name: "die")
            #expect(reply.status == 502)
            #expect(reply.body.contains(#""id":2,"error":{"code":-32603"#))
            let other = try await held.reply { $0.isComplete }
            #expect(other.messages.last?.contains(#""id":"h","error":{"code":-32603"#) == true)
            let broken = try await listening.reply { $0.isClosed }
            #expect(!broken.isComplete && broken.messages.count == 1)
            let next = try await bridge.modern("tools/call", name: "count")
            #expect(next.body.contains(#""text": 1}"#))
        }
    }

    @Test(
        "a modern client of a legacy server is told which revisions there are",
        arguments: ["legacy", "fragile", "silent"])
    func legacyServer(_ mode: String) async throws {
        try await RunningBridge.with(mode, Configure { $0.probeTimeout = .milliseconds(700) }) { bridge in
            let reply = try await bridge.modern("server/discover", id: "1")
            #expect(reply.status == 400)
            #expect(reply.body.contains("-32022") && reply.body.contains(#""id":1"#))
            #expect(reply.body.contains(#""supported":["2025-11-25","2025-06-18","2025-03-26","2024-11-05"]"#))
            #expect(reply.body.contains(#""requested":"2026-07-28""#))
            if mode != "silent" { _ = try await bridge.initialize() }
        }
    }

    @Test("a server of both eras serves clients of both")
    func dual() async throws {
        try await RunningBridge.with("dual") { bridge in
            #expect(try await bridge.modern("tools/call", name: "echo").status == 200)
            let session = try await bridge.initialize()
            #expect(try await session.call("echo").status == 200)
        }
    }

    @Test("a modern-only bridge refuses what is of the other era")
    func modernOnly() async throws {
        try await RunningBridge.with("modern", Configure { $0.era = .modern }) { bridge in
            for method in ["GET", "DELETE"] {
                let reply = try await bridge.client.send(method, headers: clientHeaders)
                #expect(reply.status == 405)
                #expect(reply.headers["allow"] == "POST")
            }
            let reply = try await bridge.client.send("POST", headers: clientHeaders, body: initializeRequest())
            #expect(reply.status == 400 && reply.body.contains("-32022"))
        }
    }

    @Test("GET and DELETE with a modern version are refused")
    func bodiless() async throws {
        try await RunningBridge.with("legacy") { bridge in
            for method in ["GET", "DELETE"] {
                let reply = try await bridge.client.send(
                    method, headers: clientHeaders + [("MCP-Protocol-Version", "2026-07-28")])
                #expect(reply.status == 405)
                #expect(reply.headers["allow"] == "POST")
            }
        }
    }
}
