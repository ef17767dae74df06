// SPDX-License-Identifier: MIT

import MCPProtocol
import NIOCore
import Testing

@testable import Bridge

@Suite("Sharing one modern child")
struct ModernMultiplexerTests {
    @Test(
        "a request gets a number for its id and its token, and the answer gets the original back",
        arguments: ["1", #""1""#, #""a\u0062""#, "1.0", "1e2", #""""#])
    func roundTrip(_ id: String) throws {
        var shared = ModernMultiplexer()
        let (call, line) = try shared.send(.request(id, token: id))
        #expect(
            line.text
                == #"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"_meta":{"progressToken":1}}}"#)
        let progress = try Message.notification("notifications/progress", #"{"progressToken":1,"progress":0.5}"#)
        #expect(
            shared.receive(progress)
                == .deliver(
                    call,
                    ByteBuffer(
                        string:
                            #"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":\#(id),"progress":0.5}}"#
                    ), .notification))
        #expect(
            try shared.receive(.response("1"))
                == .deliver(
                    call, ByteBuffer(string: #"{"jsonrpc":"2.0","id":\#(id),"result":{}}"#), .answer(isError: false)))
        #expect(shared.callsInFlight == 0)
    }

    @Test("the same id of two clients becomes two")
    func disjoint() throws {
        var shared = ModernMultiplexer()
        let (first, _) = try shared.send(.request("1"))
        let (second, line) = try shared.send(.request("1"))
        #expect(first != second)
        #expect(line.text.contains(#""id":2"#))
        guard case .deliver(let call, _, _) = try shared.receive(.response("2")) else {
            Issue.record("not delivered")
            return
        }
        #expect(call == second)
    }

    @Test("a number that a server wrote as a string is still known")
    func stringified() throws {
        var shared = ModernMultiplexer()
        let (call, _) = try shared.send(.request("5"))
        #expect(
            try shared.receive(.response(#""1""#))
                == .deliver(
                    call, ByteBuffer(string: #"{"jsonrpc":"2.0","id":5,"result":{}}"#), .answer(isError: false)))
    }

    @Test("subscription ids are the client's own, in notifications and in the result")
    func subscriptions() throws {
        var shared = ModernMultiplexer()
        let (other, _) = try shared.send(.request(#""same""#, "subscriptions/listen"))
        let (call, _) = try shared.send(.request(#""same""#, "subscriptions/listen"))
        let meta = { (id: String) in #"{"_meta":{"io.modelcontextprotocol/subscriptionId":\#(id)}}"# }
        let note = try Message.notification("notifications/tools/list_changed", meta("2"))
        let expected = try Message.notification("notifications/tools/list_changed", meta(#""same""#))
        #expect(shared.receive(note) == .deliver(call, expected.bytes, .notification))
        let result = try Message.of(#"{"jsonrpc":"2.0","id":1,"result":\#(meta("1"))}"#)
        #expect(
            shared.receive(result)
                == .deliver(
                    other, ByteBuffer(string: #"{"jsonrpc":"2.0","id":"same","result":\#(meta(#""same""#))}"#),
                    .answer(isError: false)))
    }

    @Test("a cancelled call is told to the child once, and its late messages go nowhere")
    func cancellation() throws {
        var shared = ModernMultiplexer()
        let (call, _) = try shared.send(.request("1", token: "1"))
        let cancelled = shared.cancel(call)
        let line = try #require(cancelled)
        let message = try Message(line)
        #expect(message.envelope.method.equals("notifications/cancelled"))
        #expect(message.key(at: message.envelope.requestID) == IDKey(json: "1".utf8))
        let again = shared.cancel(call)
        #expect(again == nil)
        for late in try [
            Message.response("1"), .notification("notifications/progress", #"{"progressToken":1,"progress":1}"#),
        ] {
            guard case .ignored = shared.receive(late) else {
                Issue.record("delivered: \(late.text)")
                continue
            }
        }
    }

    @Test("a server's cancellation of a subscription names the client's id and ends it")
    func serverCancels() throws {
        var shared = ModernMultiplexer()
        let (call, _) = try shared.send(.request(#""x""#, "subscriptions/listen"))
        let cancel = try Message.notification("notifications/cancelled", #"{"requestId":1}"#)
        let expected = try Message.notification("notifications/cancelled", #"{"requestId":"x"}"#)
        #expect(shared.receive(cancel) == .deliver(call, expected.bytes, .cancellation))
        #expect(shared.callsInFlight == 0)
    }

    @Test("a notification that names no request goes to the only one in flight, or to nobody")
    func unnamed() throws {
        var shared = ModernMultiplexer()
        let log = try Message.notification("notifications/message", #"{"level":"info"}"#)
        guard case .ignored = shared.receive(log) else {
            Issue.record("delivered to nobody's client")
            return
        }
        _ = try shared.send(.request("1", "subscriptions/listen"))
        let (call, _) = try shared.send(.request("2"))
        #expect(shared.receive(log) == .deliver(call, log.bytes, .notification))
        _ = try shared.send(.request("3"))
        guard case .ignored = shared.receive(log) else {
            Issue.record("delivered to one of two")
            return
        }
    }

    @Test("when the child is gone every client gets an error with its own id")
    func childGone() throws {
        var shared = ModernMultiplexer()
        let (first, _) = try shared.send(.request("1"))
        let (second, _) = try shared.send(.request(#""1""#))
        let failed = shared.fail("the server ended")
        #expect(failed.map(\.call) == [first, second])
        #expect(failed[0].error.text.contains(#""id":1,"error":{"code":-32603"#))
        #expect(failed[1].error.text.contains(#""id":"1","error":{"code":-32603"#))
        #expect(failed.allSatisfy { $0.completion == nil })
        let again = shared.fail("again")
        #expect(again.isEmpty)
    }

    @Test("a subscription can end in good order, with its client's id")
    func completion() throws {
        var shared = ModernMultiplexer()
        _ = try shared.send(.request(#""s""#, "subscriptions/listen"))
        let ended = shared.fail("the bridge is stopping")
        #expect(
            ended.first?.completion?.text
                == #"{"jsonrpc":"2.0","id":"s","result":{"resultType":"complete","_meta":{"io.modelcontextprotocol/subscriptionId":"s"}}}"#
        )
    }

    @Test("a server's request is against the rules and goes nowhere")
    func serverRequest() throws {
        var shared = ModernMultiplexer()
        _ = try shared.send(.request("1"))
        guard case .ignored = try shared.receive(.request("1", "sampling/createMessage")) else {
            Issue.record("delivered")
            return
        }
    }
}
