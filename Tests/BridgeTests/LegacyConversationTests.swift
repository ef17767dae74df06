// SPDX-License-Identifier: MIT

import MCPProtocol
import NIOCore
import Testing

@testable import Bridge

@Suite("Where a legacy child's messages go")
struct LegacyConversationTests {
    private func conversation(events: Int = 100) -> LegacyConversation {
        LegacyConversation(limits: StreamLog.Limits(maximumEvents: events, maximumBytes: 100_000))
    }

    private func attached(_ conversation: inout LegacyConversation, _ stream: StreamID) {
        let done = conversation.log.attach(stream)
        #expect(done)
    }

    private func read(_ conversation: inout LegacyConversation, _ stream: StreamID) -> [String] {
        var output: [String] = []
        while let delivery = conversation.log.next(stream) { output.append(delivery.message?.text ?? "<prime>") }
        return output
    }

    @Test("answers go to the stream of their request, whatever the order")
    func answers() throws {
        var state = conversation()
        let first = try state.post([.request("1")], carriesMessages: true)
        let second = try state.post([.request(#""1""#)], carriesMessages: true)
        attached(&state, first)
        attached(&state, second)
        #expect(try state.receive(.response(#""1""#)) == .delivered(second, dropped: []))
        #expect(try state.receive(.response("1")) == .delivered(first, dropped: []))
        #expect(read(&state, first) == [#"{"jsonrpc":"2.0","id":1,"result":{}}"#])
        #expect(read(&state, second) == [#"{"jsonrpc":"2.0","id":"1","result":{}}"#])
        #expect(state.log.isDrained(first) && state.log.isDrained(second))
        #expect(state.requestsInFlight == 0)
    }

    @Test("an answer to nothing is ignored, and so is a second one")
    func strayAnswers() throws {
        var state = conversation()
        _ = try state.post([.request("1")], carriesMessages: true)
        _ = try state.receive(.response("1"))
        for id in ["1", "2", "null"] {
            guard case .ignored = try state.receive(.response(id)) else {
                Issue.record("the answer to \(id) was delivered")
                continue
            }
        }
    }

    @Test("an id that is in flight can't be used again, and can after its answer")
    func duplicateIdentifiers() throws {
        var state = conversation()
        _ = try state.post([.request("7")], carriesMessages: true)
        #expect(throws: LegacyConversation.Refusal.identifierInUse(.number(ArraySlice("7.0".utf8)))) {
            try state.post([.request("7.0")], carriesMessages: true)
        }
        #expect(throws: LegacyConversation.Refusal.identifierInUse(.number(ArraySlice("8".utf8)))) {
            try state.post([.request("8"), .request("8")], carriesMessages: true)
        }
        _ = try state.receive(.response("7"))
        _ = try state.post([.request("7")], carriesMessages: true)
    }

    @Test("the number of requests in flight is bounded")
    func bounded() throws {
        var state = conversation(events: 10_000)
        for id in 0..<LegacyConversation.maximumRequests {
            _ = try state.post([.request("\(id)")], carriesMessages: true)
        }
        #expect(throws: LegacyConversation.Refusal.tooManyRequests) {
            try state.post([.request("-1")], carriesMessages: true)
        }
    }

    @Test("a batch's stream ends with its last answer")
    func batch() throws {
        var state = conversation()
        let stream = try state.post(
            [.request("1"), .notification("notifications/x"), .request("2")], carriesMessages: true)
        attached(&state, stream)
        _ = try state.receive(.response("2"))
        #expect(read(&state, stream).count == 1)
        #expect(!state.log.isDrained(stream))
        _ = try state.receive(.response("1"))
        #expect(read(&state, stream).count == 1)
        #expect(state.log.isDrained(stream))
    }

    @Test("progress follows its token, also next to others in flight")
    func progress() throws {
        var state = conversation()
        let first = try state.post([.request("1", token: #""a""#)], carriesMessages: true)
        let second = try state.post([.request("2", token: "5")], carriesMessages: true)
        attached(&state, .standalone)
        let five = try Message.notification("notifications/progress", #"{"progressToken":5,"progress":1}"#)
        let a = try Message.notification("notifications/progress", #"{"progressToken":"a","progress":1}"#)
        #expect(state.receive(five) == .delivered(second, dropped: []))
        #expect(state.receive(a) == .delivered(first, dropped: []))
        _ = try state.receive(.response("2"))
        guard case .ignored = state.receive(five) else {
            Issue.record("progress after the answer was delivered")
            return
        }
    }

    @Test("a child's request goes to the one POST that is in flight")
    func related() throws {
        var state = conversation()
        attached(&state, .standalone)
        let post = try state.post([.request("1")], carriesMessages: true)
        attached(&state, post)
        #expect(try state.receive(.request("9", "sampling/createMessage")) == .delivered(post, dropped: []))
    }

    @Test("a child's request goes to the GET stream when several POSTs are in flight")
    func ambiguous() throws {
        var state = conversation()
        let posts = try ["1", "2"].map { try state.post([.request($0)], carriesMessages: true) }
        for post in posts { attached(&state, post) }
        attached(&state, .standalone)
        #expect(try state.receive(.request("9", "roots/list")) == .delivered(.standalone, dropped: []))
    }

    @Test("without a GET stream a child's request goes to the oldest POST that somebody reads")
    func fallback() throws {
        var state = conversation()
        let posts = try ["1", "2", "3"].map { try state.post([.request($0)], carriesMessages: true) }
        attached(&state, posts[1])
        attached(&state, posts[2])
        #expect(try state.receive(.request("9", "roots/list")) == .delivered(posts[1], dropped: []))
    }

    @Test("with no reader at all a child's request waits for the next GET")
    func queued() throws {
        var state = conversation()
        #expect(try state.receive(.request("9", "roots/list")) == .delivered(.standalone, dropped: []))
        attached(&state, .standalone)
        #expect(read(&state, .standalone).count == 1)
    }

    @Test("a POST that wants plain JSON gets no messages but its answer")
    func plainJSON() throws {
        var state = conversation()
        let post = try state.post([.request("1", token: "1")], carriesMessages: false)
        attached(&state, post)
        #expect(try state.receive(.request("9", "roots/list")) == .delivered(.standalone, dropped: []))
        let progress = try Message.notification("notifications/progress", #"{"progressToken":1,"progress":1}"#)
        #expect(state.receive(progress) == .delivered(.standalone, dropped: []))
        #expect(try state.receive(.response("1")) == .delivered(post, dropped: []))
        #expect(read(&state, post).count == 1)
    }

    @Test(
        "news always go to the GET stream",
        arguments: ["tools/list_changed", "prompts/list_changed", "resources/list_changed", "resources/updated"])
    func news(_ method: String) throws {
        var state = conversation()
        let post = try state.post([.request("1")], carriesMessages: true)
        attached(&state, post)
        #expect(try state.receive(.notification("notifications/\(method)")) == .delivered(.standalone, dropped: []))
    }

    @Test("a ping of the child is answered for the client only when no stream is open")
    func ping() throws {
        var state = conversation()
        #expect(
            try state.receive(.request(#""p""#, "ping"))
                == .answer(ByteBuffer(string: #"{"jsonrpc":"2.0","id":"p","result":{}}"#)))
        attached(&state, .standalone)
        #expect(try state.receive(.request(#""p""#, "ping")) == .delivered(.standalone, dropped: []))
    }

    @Test("a client's answer passes once, and only to a question")
    func clientAnswers() throws {
        var state = conversation()
        #expect(try !state.respond(.response("9")))
        _ = try state.receive(.request("9", "roots/list"))
        #expect(try !state.respond(.response(#""9""#)))
        #expect(try state.respond(.response("9")))
        #expect(try !state.respond(.response("9")))
    }

    @Test("the child's cancellation follows its request")
    func childCancels() throws {
        var state = conversation()
        let post = try state.post([.request("1")], carriesMessages: true)
        attached(&state, post)
        _ = try state.receive(.request("9", "sampling/createMessage"))
        attached(&state, .standalone)
        let cancel = try Message.notification("notifications/cancelled", #"{"requestId":9}"#)
        #expect(state.receive(cancel) == .delivered(post, dropped: []))
        let other = try Message.notification("notifications/cancelled", #"{"requestId":10}"#)
        guard case .ignored = state.receive(other) else {
            Issue.record("a cancellation of nothing was delivered")
            return
        }
    }

    @Test("a cancelled request ends after a while though the child does not answer it")
    func clientCancels() throws {
        var state = conversation()
        let stream = try state.post([.request("1")], carriesMessages: true)
        attached(&state, stream)
        let kept = try state.post([.request("2")], carriesMessages: true)
        try state.notify(.notification("notifications/cancelled", #"{"requestId":1}"#), now: .uptimeNanoseconds(100))
        #expect(state.expireCancelled(before: .uptimeNanoseconds(99)) == [])
        #expect(state.expireCancelled(before: .uptimeNanoseconds(100)) == [stream])
        #expect(read(&state, stream).first?.contains("-32800") == true)
        #expect(state.log.isDrained(stream))
        #expect(!state.log.isDrained(kept))
    }

    @Test("every request in flight gets an error with its own id when the child is gone")
    func childGone() throws {
        var state = conversation()
        let first = try state.post([.request("1"), .request(#""two""#)], carriesMessages: true)
        let second = try state.post([.request("3.0")], carriesMessages: false)
        attached(&state, first)
        attached(&state, second)
        #expect(state.fail("the server ended") == [first, second])
        let texts = read(&state, first).sorted()
        #expect(texts.count == 2)
        #expect(texts[0].contains(#""id":"two","error":{"code":-32603"#))
        #expect(texts[1].contains(#""id":1,"error":{"code":-32603"#))
        #expect(read(&state, second).first?.contains(#""id":3.0,"#) == true)
        #expect(state.log.isDrained(first) && state.log.isDrained(second))
        #expect(state.requestsInFlight == 0)
    }

    @Test("a request of the child that no client takes is answered for it")
    func refused() throws {
        var state = conversation(events: 1)
        _ = try state.receive(.request("9", "roots/list"))
        guard case .delivered(_, let dropped) = try state.receive(.notification("notifications/message")) else {
            Issue.record("not delivered")
            return
        }
        let answers = state.refuse(dropped)
        #expect(answers.count == 1)
        #expect(answers.first?.text.contains(#""id":9,"error":{"code":-32603"#) == true)
        #expect(try !state.respond(.response("9")))
    }
}
