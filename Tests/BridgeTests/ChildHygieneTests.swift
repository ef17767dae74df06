// SPDX-License-Identifier: MIT

import Glibc
import Testing

@testable import Bridge

@Suite("Children that misbehave, and the end of all of them", .serialized)
struct ChildHygieneTests {
    @Test("a child that dies fails its requests with their own ids, and its session is gone")
    func death() async throws {
        try await RunningBridge.with("legacy") { bridge in
            let session = try await bridge.initialize()
            let held = try await session.open(toolCall("hold", id: #""h""#))
            _ = try await held.reply { $0.events.count == 1 }
            let stream = try await session.listen()
            _ = try await stream.reply { $0.status == 200 }
            let reply = try await session.call("die", id: "2")
            #expect(reply.messages.last?.contains(#""id":2,"error":{"code":-32603"#) == true)
            let other = try await held.reply { $0.isComplete }
            #expect(other.messages.last?.contains(#""id":"h","error":{"code":-32603"#) == true)
            _ = try await stream.reply { $0.isComplete }
            #expect(try await session.call("echo").status == 404)
            _ = try await bridge.initialize()
        }
    }

    @Test("a request that wants JSON gets 502 when the child dies")
    func deathWithoutStream() async throws {
        try await RunningBridge.with("legacy") { bridge in
            let session = try await bridge.initialize()
            let headers = session.headers.filter { $0.0 != "Accept" } + [("Accept", "application/json")]
            let reply = try await bridge.client.send("POST", headers: headers, body: toolCall("die", id: "2"))
            #expect(reply.status == 502)
            #expect(reply.body.contains(#""id":2,"error":{"code":-32603"#))
        }
    }

    @Test("a child that closes its output has ended")
    func closedOutput() async throws {
        try await RunningBridge.with("legacy") { bridge in
            let session = try await bridge.initialize()
            let pid = try #require(try await session.processID())
            let reply = try await session.call("close-output", id: "2")
            #expect(reply.messages.last?.contains("-32603") == true)
            #expect(try await session.call("echo").status == 404)
            try await RunningBridge.eventually("the child lives") { !RunningBridge.isAlive(pid) }
        }
    }

    @Test("a command that ends at once gives 502 with words")
    func earlyEnd() async throws {
        try await RunningBridge.with("legacy", Configure { ($0.command, $0.arguments) = ("false", []) }) { bridge in
            let reply = try await bridge.client.send("POST", headers: clientHeaders, body: initializeRequest(id: "4"))
            #expect(reply.status == 502)
            #expect(reply.body.contains(#""id":4"#) && reply.body.contains("exit code 1"))
        }
    }

    @Test("a command that does not exist is an error at the start")
    func missingCommand() async throws {
        let error = await #expect(throws: BridgeError.self) {
            try await RunningBridge.with("legacy", Configure { $0.command = "no-such-program" }) { _ in }
        }
        #expect(error?.code == .commandNotFound)
        #expect(error?.message.contains("no-such-program") == true)
    }

    @Test("lines that are no messages are passed over")
    func garbage() async throws {
        try await RunningBridge.with("legacy") { bridge in
            let session = try await bridge.initialize()
            let reply = try await session.call("garbage", id: "3")
            #expect(reply.messages == [#"{"jsonrpc": "2.0", "id": 3, "result": {"text": "done"}}"#])
        }
    }

    @Test("megabytes of standard error hold up nothing")
    func standardError() async throws {
        try await RunningBridge.with("legacy") { bridge in
            let session = try await bridge.initialize()
            let reply = try await session.call("stderr", arguments: #"{"size":200000}"#)
            #expect(reply.messages.count == 1)
        }
    }

    @Test("a large message passes, one that is too large ends the session with words")
    func largeMessages() async throws {
        try await RunningBridge.with("legacy", Configure { $0.maximumLineBytes = 3_000_000 }) { bridge in
            let session = try await bridge.initialize()
            let large = try await session.call("big", arguments: #"{"size":2900000}"#)
            #expect(large.messages.last?.utf8.count ?? 0 > 2_900_000)
            let huge = try await session.call("big", id: "5", arguments: #"{"size":3100000}"#)
            #expect(huge.messages.last?.contains(#""id":5,"error""#) == true)
            #expect(huge.messages.last?.contains("3000000 bytes") == true)
            #expect(try await session.call("echo").status == 404)
        }
    }

    @Test("DELETE ends the child and what it has started, also what ignores SIGTERM")
    func processGroup() async throws {
        try await RunningBridge.with("legacy") { bridge in
            let session = try await bridge.initialize()
            let pid = try #require(try await session.processID())
            let fork = try await session.call("fork")
            let grandchild = try #require(fork.messages.last?.number(after: #""text": "#))
            #expect(RunningBridge.isAlive(pid) && RunningBridge.isAlive(grandchild))
            _ = try await bridge.client.send("DELETE", headers: session.headers)
            try await RunningBridge.eventually("a process lives") {
                !RunningBridge.isAlive(pid) && !RunningBridge.isAlive(grandchild)
            }
        }
    }

    @Test("a grandchild that keeps the output open does not hide the child's death")
    func heldOutput() async throws {
        try await RunningBridge.with("legacy") { bridge in
            let session = try await bridge.initialize()
            let fork = try await session.call("fork")
            let grandchild = try #require(fork.messages.last?.number(after: #""text": "#))
            let reply = try await session.call("die", id: "2")
            #expect(reply.messages.last?.contains("-32603") == true)
            try await RunningBridge.eventually("the grandchild lives") { !RunningBridge.isAlive(grandchild) }
        }
    }

    @Test("the bridge's end is the end of all children, also of those that don't want to")
    func shutdown() async throws {
        let pids = Pids()
        try await RunningBridge.with("deaf") { bridge in
            for _ in 0..<3 {
                let session = try await bridge.initialize()
                await pids.add(try await session.processID())
            }
        }
        let ended = await pids.all
        #expect(ended.count == 3)
        for pid in ended { #expect(!RunningBridge.isAlive(pid)) }
    }

    @Test("nothing of a request gets into a child's arguments or environment")
    func environment() async throws {
        try await RunningBridge.with("legacy") { bridge in
            let reply = try await bridge.client.send(
                "POST", headers: clientHeaders + [("X-Secret-Header", "value")], body: initializeRequest())
            let id = try #require(reply.headers["mcp-session-id"])
            let names = try await bridge.client.send(
                "POST", headers: clientHeaders + [("Mcp-Session-Id", id)], body: toolCall("environment"))
            #expect(!names.body.lowercased().contains("secret"))
        }
    }

    @Test("a web page from elsewhere is refused on a port of this machine")
    func origins() async throws {
        try await RunningBridge.with("legacy", Configure { $0.listener = .tcp(host: "127.0.0.1", port: 0) }) {
            bridge in
            let evil = try await bridge.client.send(
                "POST", headers: clientHeaders + [("Origin", "http://evil.example.com")], body: initializeRequest())
            #expect(evil.status == 403)
            let rebound = try await bridge.client.send(
                "POST", headers: clientHeaders + [("Host", "evil.example.com")], body: initializeRequest())
            #expect(rebound.status == 421)
            let local = try await bridge.client.send(
                "POST", headers: clientHeaders + [("Origin", "http://localhost:1234")], body: initializeRequest())
            #expect(local.status == 200)
        }
    }
}

/// Process ids that a test remembers.
private actor Pids {
    private(set) var all: [Int32] = []

    func add(_ pid: Int32?) {
        if let pid { all.append(pid) }
    }
}
