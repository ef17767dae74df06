// SPDX-License-Identifier: MIT

import Testing

@testable import Bridge

@Suite("Messages of a legacy child", .serialized)
struct ChildMessageTests {
    @Test("progress comes on the stream of its call, before the answer")
    func progress() async throws {
        try await RunningBridge.with("legacy") { bridge in
            let session = try await bridge.initialize()
            let reply = try await session.call("progress", token: #""t""#)
            #expect(reply.messages.count == 3)
            #expect(reply.messages[0].contains(#""progressToken": "t", "progress": 1"#))
            #expect(reply.messages[2].contains(#""result""#))
            let ids = reply.events.compactMap(\.id)
            #expect(ids.count == 4 && Set(ids).count == 4)
        }
    }

    @Test("a sampling request goes out on the call's stream, and the client's answer goes back")
    func sampling() async throws {
        try await RunningBridge.with("legacy") { bridge in
            let session = try await bridge.initialize()
            let call = try await session.open(toolCall("sample", id: "1"))
            let asked = try await call.reply { $0.messages.contains { $0.contains("sampling/createMessage") } }
            #expect(asked.messages.last?.contains(#""id": "s1""#) == true)
            let answer = try await session.post(#"{"jsonrpc":"2.0","id":"s1","result":{"content":"hello"}}"#)
            #expect(answer.status == 202 && answer.body.isEmpty)
            let done = try await call.reply { $0.isComplete }
            #expect(done.messages.last == #"{"jsonrpc": "2.0", "id": 1, "result": {"text": {"content": "hello"}}}"#)
        }
    }

    @Test("a second answer to a child's request is taken and goes nowhere")
    func secondAnswer() async throws {
        try await RunningBridge.with("legacy") { bridge in
            let session = try await bridge.initialize()
            let stray = try await session.post(#"{"jsonrpc":"2.0","id":"s1","result":{}}"#)
            #expect(stray.status == 202)
            #expect(try await session.call("echo").status == 200)
        }
    }

    @Test("news come on the GET stream, and a second one is refused while it is open")
    func standaloneStream() async throws {
        try await RunningBridge.with("legacy") { bridge in
            let session = try await bridge.initialize()
            let stream = try await session.listen()
            _ = try await stream.reply { $0.status == 200 }
            let second = try await bridge.client.send("GET", headers: session.headers)
            #expect(second.status == 409)
            let call = try await session.call("news")
            #expect(call.messages.count == 1)
            _ = try await stream.reply { $0.messages.contains { $0.contains("list_changed") } }
            stream.close()
            try await RunningBridge.eventually("the stream stayed taken") {
                let again = try await session.listen()
                defer { again.close() }
                return try await again.reply { $0.status != 0 }.status == 200
            }
        }
    }

    @Test("what comes while nobody listens is there when somebody does")
    func queued() async throws {
        try await RunningBridge.with("legacy") { bridge in
            let session = try await bridge.initialize()
            _ = try await session.call("news")
            let stream = try await session.listen()
            _ = try await stream.reply { $0.messages.count == 1 }
            stream.close()
        }
    }

    @Test("a GET that does not accept a stream is refused")
    func getWithoutAccept() async throws {
        try await RunningBridge.with("legacy") { bridge in
            let session = try await bridge.initialize()
            let reply = try await bridge.client.send(
                "GET", headers: [("Mcp-Session-Id", session.id), ("Accept", "application/json")])
            #expect(reply.status == 406)
        }
    }

    @Test("a child's ping is answered when no stream could carry it")
    func ping() async throws {
        try await RunningBridge.with("legacy") { bridge in
            let session = try await bridge.initialize()
            let headers = session.headers.filter { $0.0 != "Accept" } + [("Accept", "application/json")]
            let reply = try await bridge.client.send("POST", headers: headers, body: toolCall("ping"))
            #expect(reply.body == #"{"jsonrpc": "2.0", "id": 1, "result": {"text": {}}}"#)
        }
    }

    @Test("a client's cancellation reaches the child, its hanging up does not")
    func cancellation() async throws {
        try await RunningBridge.with("legacy") { bridge in
            let session = try await bridge.initialize()
            let gone = try await session.open(toolCall("hold", id: "1"))
            _ = try await gone.reply { $0.events.count == 1 }
            gone.close()
            let cancelled = try await session.post(
                #"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":77}}"#)
            #expect(cancelled.status == 202)
            let seen = try await session.call("cancelled", id: "2")
            #expect(seen.messages.last?.contains(#""text": [77]"#) == true)
        }
    }

    @Test("a stream whose client has vanished goes on and can be resumed, without what the client has seen")
    func resumption() async throws {
        try await RunningBridge.with("legacy") { bridge in
            let session = try await bridge.initialize()
            let first = try await session.open(toolCall("progress-then-hold", id: "1", token: "1"))
            let seen = try await first.reply { $0.messages.count == 1 }
            first.close()
            _ = try await session.call("release", id: "2")
            let prime = try #require(seen.events.first?.id)
            let progress = try #require(seen.events.last?.id)
            let resumed = try await session.listen(after: progress)
            let rest = try await resumed.reply { $0.isComplete }
            #expect(rest.messages == [#"{"jsonrpc": "2.0", "id": 1, "result": {"text": "released"}}"#])
            let again = try await session.listen(after: prime)
            let all = try await again.reply { $0.isComplete }
            #expect(all.messages.count == 2)
            #expect(all.events.first == seen.events.last)
        }
    }

    @Test("a stream can be resumed while its call goes on, also when the old connection still hangs")
    func liveResumption() async throws {
        try await RunningBridge.with("legacy") { bridge in
            let session = try await bridge.initialize()
            let first = try await session.open(toolCall("hold", id: "1"))
            let opened = try await first.reply { $0.events.count == 1 }
            let prime = try #require(opened.events.first?.id)
            let second = try await session.listen(after: prime)
            _ = try await second.reply { $0.status == 200 }
            _ = try await first.reply { $0.isClosed }
            _ = try await session.call("release", id: "2")
            let rest = try await second.reply { $0.isComplete }
            #expect(rest.messages.count == 1)
        }
    }

    @Test("an event that the session never sent can't be resumed from", arguments: ["x", "9-1", "0-999"])
    func unknownEvent(_ event: String) async throws {
        try await RunningBridge.with("legacy") { bridge in
            let session = try await bridge.initialize()
            let stream = try await session.listen(after: event)
            let reply = try await stream.reply { $0.isComplete }
            #expect(reply.status == 400)
        }
    }

    @Test("events that no reader wants are kept up to the bound, the newest of them")
    func replayBound() async throws {
        try await RunningBridge.with("legacy", Configure { $0.replayEvents = 4 }) { bridge in
            let session = try await bridge.initialize()
            for _ in 0..<6 { _ = try await session.call("news") }
            let stream = try await session.listen()
            let reply = try await stream.reply { !$0.messages.isEmpty }
            #expect(reply.messages.count < 4)
            stream.close()
        }
    }

    @Test("a reader that takes nothing holds the child up, and everything comes when it reads again")
    func backPressure() async throws {
        try await RunningBridge.with("legacy", Configure { $0.maximumPendingBytes = 64 * 1024 }) { bridge in
            let session = try await bridge.initialize()
            let call = try await session.open(
                toolCall("flood", arguments: #"{"count":60,"size":20000}"#))
            try await call.setReading(false)
            // With the child held up nothing else of it comes through; that it is not lost is what counts.
            try await call.setReading(true)
            let reply = try await call.reply { $0.isComplete }
            #expect(reply.messages.count == 61)
        }
    }

    @Test("while a reader takes nothing its child is held up, and other sessions are not")
    func heldUp() async throws {
        try await RunningBridge.with("legacy") { bridge in
            let session = try await bridge.initialize()
            let pid = try #require(try await session.processID())
            let call = try await session.open(toolCall("flood", arguments: #"{"count":60,"size":100000}"#))
            _ = try await call.reply { $0.status == 200 }
            try await call.setReading(false)
            try await RunningBridge.eventually("the child wrote nothing") {
                RunningBridge.bytesWritten(by: pid) > 1_000_000
            }
            for _ in 0..<3 { #expect(try await bridge.initialize().call("echo").messages.count == 1) }
            #expect(RunningBridge.bytesWritten(by: pid) < 4_000_000)
            call.close()
            try await RunningBridge.eventually("the child stayed held up") {
                RunningBridge.bytesWritten(by: pid) > 6_000_000
            }
        }
    }

    @Test("a reader that takes nothing for too long is disconnected, so that the others go on")
    func stalledReader() async throws {
        try await RunningBridge.with(
            "legacy",
            Configure {
                $0.maximumPendingBytes = 64 * 1024
                $0.stallTimeout = .milliseconds(500)
            }
        ) { bridge in
            let session = try await bridge.initialize()
            let call = try await session.open(
                toolCall("flood", id: "1", arguments: #"{"count":100,"size":50000}"#))
            try await call.setReading(false)
            let other = try await session.call("echo", id: "2")
            #expect(other.messages.count == 1)
            call.close()
        }
    }
}
