// SPDX-License-Identifier: MIT

import Testing

@testable import Bridge

@Suite("A legacy client and the bridge", .serialized)
struct LegacyBridgeTests {
    @Test("a session begins with initialize, answers calls, and ends with DELETE")
    func lifecycle() async throws {
        try await RunningBridge.with("legacy") { bridge in
            let session = try await bridge.initialize()
            #expect(session.id.utf8.count >= 32)
            let reply = try await session.call("echo", id: #""a""#, arguments: #"{"x":[1,2]}"#)
            #expect(reply.status == 200)
            #expect(reply.headers["content-type"] == "text/event-stream")
            #expect(reply.messages == [#"{"jsonrpc": "2.0", "id": "a", "result": {"text": {"x": [1, 2]}}}"#])
            let deleted = try await bridge.client.send("DELETE", headers: session.headers)
            #expect(deleted.status == 200)
            let after = try await session.call("echo", id: "7")
            #expect(after.status == 404)
            #expect(after.body.contains(#""id":7"#) && after.body.contains("-32001"))
            let again = try await bridge.client.send("DELETE", headers: session.headers)
            #expect(again.status == 404)
        }
    }

    @Test("every session has a process of its own")
    func oneChildEach() async throws {
        try await RunningBridge.with("legacy") { bridge in
            let first = try await bridge.initialize()
            let second = try await bridge.initialize()
            #expect(first.id != second.id)
            for expected in 1...3 {
                let count = try await first.call("count")
                #expect(count.messages.last?.contains(#""text": \#(expected)}"#) == true)
            }
            let other = try await second.call("count")
            #expect(other.messages.last?.contains(#""text": 1}"#) == true)
        }
    }

    @Test("a stream begins with an event to resume from since 2025-11-25, and not before")
    func priming() async throws {
        try await RunningBridge.with("legacy") { bridge in
            let new = try await bridge.initialize().call("echo")
            #expect(new.events.count == 2)
            #expect(new.events.first?.data == "")
            #expect(new.events.first?.id != nil && new.events.first?.retry != nil)
            #expect(new.events.last?.id != nil)
            let old = try await bridge.initialize(version: "2025-06-18").call("echo")
            #expect(old.events.count == 1)
        }
    }

    @Test("a client that takes JSON only gets JSON")
    func plainJSON() async throws {
        try await RunningBridge.with("legacy") { bridge in
            let session = try await bridge.initialize()
            let headers = session.headers.filter { $0.0 != "Accept" } + [("Accept", "application/json")]
            let reply = try await bridge.client.send("POST", headers: headers, body: toolCall("log"))
            #expect(reply.headers["content-type"] == "application/json")
            #expect(reply.body == #"{"jsonrpc": "2.0", "id": 1, "result": {"text": "done"}}"#)
        }
    }

    @Test(
        "a request that breaks a rule gets the status of that rule",
        arguments: [
            (clientHeaders, "nope", 400, "-32700"), (clientHeaders, "", 400, "-32700"),
            (clientHeaders, "[]", 400, "-32600"), (clientHeaders, "1", 400, "-32600"),
            (clientHeaders, #"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#, 400, "-32600"),
            (clientHeaders, #"{"jsonrpc":"2.0","id":null,"method":"initialize"}"#, 400, "-32600"),
            ([("Content-Type", "application/json")], initializeRequest(), 406, "-32600"),
            ([("Content-Type", "text/plain"), ("Accept", "*/*")], initializeRequest(), 415, "-32600"),
            ([("Accept", "*/*")], initializeRequest(), 415, "-32600"),
            (clientHeaders + [("Mcp-Session-Id", "nobody")], toolCall("echo"), 404, "-32001"),
            (clientHeaders + [("MCP-Protocol-Version", "2026-07-28")], initializeRequest(), 400, "-32020"),
        ])
    func refusals(_ headers: [(String, String)], _ body: String, _ status: Int, _ code: String) async throws {
        try await RunningBridge.with("legacy") { bridge in
            let reply = try await bridge.client.send("POST", headers: headers, body: body)
            #expect(reply.status == status)
            #expect(reply.body.contains(code))
            #expect(reply.headers["content-type"] == "application/json")
        }
    }

    @Test("methods and paths that are not served say so")
    func otherRoutes() async throws {
        try await RunningBridge.with("legacy") { bridge in
            let put = try await bridge.client.send("PUT")
            #expect(put.status == 405)
            #expect(put.headers["allow"] == "GET, POST, DELETE")
            #expect(try await bridge.client.send("GET", "/other").status == 404)
            #expect(try await bridge.client.send("GET", "/healthz").status == 200)
            #expect(try await bridge.client.send("POST", "/healthz", body: "").status == 405)
            #expect(try await bridge.client.send("GET", headers: clientHeaders).status == 400)
            #expect(try await bridge.client.send("DELETE", headers: clientHeaders).status == 400)
        }
    }

    @Test("a body that is too large is refused")
    func bodyLimit() async throws {
        try await RunningBridge.with("legacy", Configure { $0.maximumBodyBytes = 1000 }) { bridge in
            let session = try await bridge.initialize()
            let big = toolCall("echo", arguments: "{\"x\":\"\(String(repeating: "x", count: 1000))\"}")
            #expect(try await session.post(big).status == 413)
        }
    }

    @Test("a revision that the session does not have is refused, another that exists is not")
    func versionHeader() async throws {
        try await RunningBridge.with("legacy") { bridge in
            let session = try await bridge.initialize()
            let base = session.headers.filter { $0.0 != "MCP-Protocol-Version" }
            for (version, status) in [("1999-01-01", 400), ("nonsense", 400), ("2025-06-18", 200), (nil, 200)]
                as [(String?, Int)]
            {
                let headers = base + (version.map { [("MCP-Protocol-Version", $0)] } ?? [])
                let reply = try await bridge.client.send("POST", headers: headers, body: toolCall("echo"))
                #expect(reply.status == status)
            }
        }
    }

    @Test("a pretty-printed message reaches the server as one line")
    func prettyPrinted() async throws {
        try await RunningBridge.with("legacy") { bridge in
            let session = try await bridge.initialize()
            let pretty =
                "{\n  \"jsonrpc\": \"2.0\",\r\n  \"id\": 5,\n  \"method\": \"tools/call\",\n  \"params\": {\"name\":\n\"raw\"}\n}\n"
            let reply = try await session.post(pretty)
            #expect(
                reply.messages.last
                    == #"{"jsonrpc": "2.0", "id": 5, "result": {"text": "{  \"jsonrpc\": \"2.0\",  \"id\": 5,  \"method\": \"tools/call\",  \"params\": {\"name\":\"raw\"}}\n"}}"#
            )
        }
    }

    @Test("batches are for sessions of 2025-03-26")
    func batches() async throws {
        try await RunningBridge.with("legacy") { bridge in
            let batch = "[\(toolCall("echo", id: "1")),\n\(toolCall("echo", id: "2"))]"
            let old = try await bridge.initialize(version: "2025-03-26")
            let reply = try await old.post(batch)
            #expect(reply.messages.count == 2)
            let json = try await bridge.client.send(
                "POST", headers: old.headers.filter { $0.0 != "Accept" } + [("Accept", "application/json")], body: batch
            )
            #expect(json.body.hasPrefix("[{") && json.body.hasSuffix("}]"))
            let notifications = try await old.post(#"[{"jsonrpc":"2.0","method":"notifications/x"}]"#)
            #expect(notifications.status == 202)
            let new = try await bridge.initialize()
            #expect(try await new.post(batch).status == 400)
            let headers = new.headers.filter { $0.0 != "MCP-Protocol-Version" }
            let withoutHeader = try await bridge.client.send("POST", headers: headers, body: batch)
            #expect(withoutHeader.status == 400 && withoutHeader.body.contains("-32600"))
        }
    }

    @Test("an id that is in flight can't be used again")
    func duplicateIdentifier() async throws {
        try await RunningBridge.with("legacy") { bridge in
            let session = try await bridge.initialize()
            let held = try await session.open(toolCall("hold", id: "5"))
            _ = try await held.reply { $0.events.count == 1 }
            let reply = try await session.call("echo", id: "5")
            #expect(reply.status == 400)
            #expect(reply.body.contains(#""id":5"#))
            _ = try await session.call("release", id: "6")
            _ = try await held.reply { $0.isComplete }
        }
    }

    @Test("sessions of one principal don't exist for another")
    func principals() async throws {
        try await RunningBridge.with("legacy") { bridge in
            let reply = try await bridge.client.send(
                "POST", headers: clientHeaders + [("MCP-Gateway-Principal", "a")], body: initializeRequest())
            let id = try #require(reply.headers["mcp-session-id"])
            for (principal, status) in [("a", 200), ("b", 404)] {
                let reply = try await bridge.client.send(
                    "POST", headers: clientHeaders + [("Mcp-Session-Id", id), ("MCP-Gateway-Principal", principal)],
                    body: toolCall("echo"))
                #expect(reply.status == status)
            }
        }
    }

    @Test("there are no more sessions than allowed")
    func sessionLimit() async throws {
        try await RunningBridge.with("legacy", Configure { $0.maximumSessions = 1 }) { bridge in
            let session = try await bridge.initialize()
            let refused = try await bridge.client.send("POST", headers: clientHeaders, body: initializeRequest())
            #expect(refused.status == 503)
            #expect(refused.body.contains("-32603") && refused.headers["retry-after"] != nil)
            _ = try await bridge.client.send("DELETE", headers: session.headers)
            _ = try await bridge.initialize()
        }
    }

    @Test("an initialize that the server refuses begins nothing")
    func refusedInitialize() async throws {
        try await RunningBridge.with("refusing", Configure { $0.maximumSessions = 1 }) { bridge in
            for _ in 0..<2 {
                let reply = try await bridge.client.send("POST", headers: clientHeaders, body: initializeRequest())
                #expect(reply.status == 200)
                #expect(reply.body.contains(#""error""#))
                #expect(reply.headers["mcp-session-id"] == nil)
            }
        }
    }

    @Test("a server that does not answer initialize in time gives 504")
    func silentServer() async throws {
        try await RunningBridge.with("silent", Configure { $0.startTimeout = .milliseconds(10) }) { bridge in
            let reply = try await bridge.client.send("POST", headers: clientHeaders, body: initializeRequest(id: "9"))
            #expect(reply.status == 504)
            #expect(reply.body.contains(#""id":9"#) && reply.body.contains("-32603"))
        }
    }

    @Test("a session without a client for long enough ends")
    func idle() async throws {
        try await RunningBridge.with("legacy", Configure { $0.idleTimeout = .seconds(3) }) { bridge in
            let quiet = try await bridge.initialize()
            let pid = try #require(try await quiet.processID())
            let listening = try await bridge.initialize()
            let stream = try await listening.listen()
            try await RunningBridge.eventually("the session did not end") { !RunningBridge.isAlive(pid) }
            #expect(try await quiet.call("count").status == 404)
            #expect(try await listening.call("count").status == 200)
            stream.close()
        }
    }
}
