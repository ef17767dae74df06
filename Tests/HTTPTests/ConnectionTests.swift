// SPDX-License-Identifier: MIT

import NIOCore
import NIOEmbedded
import Testing

@testable import HTTP

private let get = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
private let next = "GET /next HTTP/1.1\r\nHost: h\r\n\r\n"
private let post = "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n"
private let chunkedPost = "POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"

@Suite("Connections as state machines")
struct ConnectionTests {
    @Test("however the bytes of a conversation are cut, the same is said", arguments: [true, false])
    func cuts(wantsPayload: Bool) throws {
        let chunks = "2;x\r\nab\r\n1\r\nc\r\n0\r\nT: v\r\n\r\n"
        let input = Array(("\r\n" + get + post + "abc\r\n\r\n" + chunkedPost + chunks + next + "bad\r\n\r\n").utf8)
        let expected: [ConnectionHarness.Notice] = [
            .routed("/a"), .end, .routed("/p"), .payload("abc"), .end, .routed("/c"),
            .payload(wantsPayload ? "abc" : chunks), .end, .routed("/next"), .end,
        ]
        func run(_ cuts: [Int]) throws {
            let harness = try ConnectionHarness()
            harness.wantsPayload = wantsPayload
            var start = 0
            for cut in cuts + [input.count] {
                harness.receive(input[start..<cut])
                start = cut
            }
            #expect(harness.notices == expected, "cut at \(cuts.prefix(3))")
            let sent = harness.sent()
            #expect(sent.hasPrefix("ok;ok;ok;ok;HTTP/1.1 400 "), "cut at \(cuts.prefix(3)): \(sent)")
            #expect(!harness.channel.isActive)
        }
        for cut in input.indices { try run([cut]) }
        try run(Array(input.indices))
    }

    @Test("an answer given while a request is routed is the only one, and the next request comes")
    func answerInRoute() throws {
        let harness = try ConnectionHarness()
        harness.onRoute = { $0.answer() }
        harness.receive(get + next)
        #expect(harness.notices == [.routed("/a"), .routed("/next")])
        #expect(harness.sent() == "ok;ok;")
        #expect(harness.channel.isActive)
    }

    @Test("what comes of a body after its answer is dropped, and the next request is answered")
    func earlyAnswer() throws {
        for isInRoute in [true, false] {
            let harness = try ConnectionHarness()
            if isInRoute { harness.onRoute = { if $0.notices == [.routed("/p")] { $0.answer() } } }
            harness.onReceive = { harness, isEnd in
                if !isEnd || harness.notices.last == .end { harness.answer() }
            }
            harness.receive(post + "a")
            harness.receive("bc" + next)
            #expect(harness.notices == [.routed("/p")] + (isInRoute ? [] : [.payload("a")]) + [.routed("/next"), .end])
            #expect(harness.sent() == "ok;ok;")
            #expect(harness.channel.isActive)
        }
    }

    @Test("an answer before the end of a body that is too long, or of unknown length, ends the connection")
    func earlyAnswerToMuch() throws {
        for head in [
            "Content-Length: 5000000\r\n", "Transfer-Encoding: chunked\r\n",
            "Content-Length: 3\r\nExpect: 100-continue\r\n",
        ] {
            let harness = try ConnectionHarness()
            harness.onRoute = {
                #expect($0.connection.closesAfterAnswer)
                $0.answer()
            }
            harness.receive("POST /p HTTP/1.1\r\nHost: a\r\n" + head + "\r\n")
            #expect(harness.notices == [.routed("/p")])
            #expect(harness.sent() == "ok;")
            #expect(!harness.channel.isActive)
        }
    }

    @Test("requests wait while one is being answered, and are looked at in order")
    func order() throws {
        let harness = try ConnectionHarness()
        harness.onReceive = { _, _ in }
        harness.receive(get + next)
        harness.receive(post + "abc")
        #expect(harness.notices == [.routed("/a"), .end])
        harness.answer()
        #expect(harness.notices == [.routed("/a"), .end, .routed("/next"), .end])
        harness.answer()
        harness.answer()
        #expect(harness.notices.last == .end && harness.notices.contains(.payload("abc")))
        #expect(harness.sent() == "ok;ok;ok;")
    }

    @Test("finishing an answer twice harms nobody")
    func finishedTwice() throws {
        let harness = try ConnectionHarness()
        harness.receive(get)
        harness.connection.finishAnswer(keepAlive: false)
        #expect(harness.channel.isActive)
        harness.receive(next)
        #expect(harness.sent() == "ok;ok;")
    }

    @Test("a client that goes away is reported once, to the one whose request is unanswered")
    func gone() throws {
        for request in [get, post, chunkedPost] {
            let harness = try ConnectionHarness()
            harness.onReceive = { _, _ in }
            harness.receive(request)
            try harness.channel.close().wait()
            harness.eventLoop.run()
            #expect(harness.notices.filter { $0 == .gone }.count == 1)
            harness.answer()
            #expect(harness.sent() == "")
        }
        let answered = try ConnectionHarness()
        answered.receive(get)
        try answered.channel.close().wait()
        #expect(!answered.notices.contains(.gone))
    }

    @Test("a connection can be broken off at any point", arguments: ["route", "receive", "writability"])
    func abort(place: String) throws {
        let harness = try ConnectionHarness()
        if place == "route" { harness.onRoute = { $0.connection.abort() } }
        harness.onReceive = { harness, _ in if place == "receive" { harness.connection.abort() } }
        harness.receive(post + "abc" + next)
        if place == "writability" {
            harness.setWritable(false)
            harness.connection.abort()
            harness.setWritable(true)
        }
        #expect(!harness.channel.isActive)
        #expect(!harness.notices.contains(.routed("/next")))
        #expect(harness.sent() == "")
    }

    @Test("nothing of a request is kept after its answer, and nothing of a connection after its end")
    func released() throws {
        final class Attached {}
        let harness = try ConnectionHarness()
        weak var attached: Attached?
        do {
            let object = Attached()
            attached = object
            harness.connection.attachment = object
        }
        harness.receive(get)
        #expect(harness.lastSink == nil)
        #expect(attached != nil)
        harness.onReceive = { _, _ in }
        harness.receive(post)
        #expect(harness.lastSink != nil)
        try harness.channel.close().wait()
        harness.eventLoop.run()
        #expect(harness.lastSink == nil && attached == nil)
        #expect(harness.loop.sweep.members.isEmpty)
    }

    @Test("requests are not looked at while answers wait to be taken")
    func blocked() throws {
        let harness = try ConnectionHarness()
        harness.onReceive = { harness, isEnd in
            if isEnd {
                harness.setWritable(false)
                harness.answer()
            }
        }
        harness.receive(get + next)
        #expect(harness.notices == [.routed("/a"), .end, .writability])
        harness.setWritable(true)
        #expect(harness.notices.contains(.routed("/next")))
        #expect(harness.sent() == "ok;ok;")
    }

    @Test("100 Continue is sent when the body is awaited, and not while nobody takes it")
    func expectation() throws {
        let awaited = "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
        let harness = try ConnectionHarness()
        harness.receive(awaited)
        #expect(harness.sent() == "HTTP/1.1 100 Continue\r\n\r\n")
        harness.receive("abc")
        #expect(harness.sent() == "ok;")
        harness.receive(awaited + "abc")
        #expect(harness.sent() == "ok;")
        harness.onRoute = { $0.connection.pauseReading(true) }
        harness.receive(awaited)
        #expect(harness.sent() == "")
        harness.connection.pauseReading(false)
        #expect(harness.sent() == "HTTP/1.1 100 Continue\r\n\r\n")
    }
}

@Suite("Deadlines in every phase")
struct ConnectionDeadlineTests {
    private static func configuration() -> HTTPServerConfiguration {
        var configuration = HTTPServerConfiguration()
        configuration.sweepInterval = .seconds(1)
        configuration.headTimeout = .seconds(10)
        configuration.bodyTimeout = .seconds(20)
        configuration.idleTimeout = .seconds(30)
        configuration.writeTimeout = .seconds(40)
        return configuration
    }

    private static func harness() throws -> ConnectionHarness { try ConnectionHarness(configuration()) }

    @Test("a head has its time from its first byte on, however slowly the others come")
    func head() throws {
        let harness = try Self.harness()
        harness.pass(.seconds(8))
        for byte in get.utf8.prefix(3) {
            harness.receive([byte])
            harness.pass(.seconds(3))
        }
        #expect(harness.sent() == "" && harness.channel.isActive)
        harness.pass(.seconds(3))
        #expect(harness.sent().hasPrefix("HTTP/1.1 408 "))
        #expect(!harness.channel.isActive)
    }

    @Test("empty lines keep no connection open")
    func emptyLines() throws {
        let harness = try Self.harness()
        harness.receive(get)
        _ = harness.sent()
        for _ in 0..<31 {
            harness.pass(.seconds(1))
            harness.receive("\r\n")
        }
        harness.pass(.seconds(1))
        #expect(harness.sent() == "" && !harness.channel.isActive)
    }

    @Test("a client may pause in its body as often as it likes, and not too long")
    func body() throws {
        let harness = try Self.harness()
        harness.receive(post)
        for byte in "ab".utf8 {
            harness.pass(.seconds(19))
            harness.receive([byte])
        }
        harness.pass(.seconds(19))
        #expect(harness.channel.isActive)
        harness.pass(.seconds(3))
        #expect(harness.sent().hasPrefix("HTTP/1.1 408 "))
        #expect(harness.notices.last == .gone)
    }

    @Test("a body that nobody takes is not late")
    func pausedBody() throws {
        let harness = try Self.harness()
        harness.receive(post + "a")
        harness.connection.pauseReading(true)
        harness.pass(.minutes(10))
        #expect(harness.channel.isActive)
        harness.connection.pauseReading(false)
        harness.pass(.seconds(22))
        #expect(harness.sent().hasPrefix("HTTP/1.1 408 "))
    }

    @Test("a late body is not answered in the middle of an answer")
    func bodyAfterAnswer() throws {
        let harness = try Self.harness()
        harness.receive(post + "a")
        harness.connection.write(ByteBuffer(string: "HTTP/1.1 200 OK\r\n"))
        harness.pass(.seconds(22))
        #expect(harness.sent() == "HTTP/1.1 200 OK\r\n" && !harness.channel.isActive)
    }

    @Test("an answer has all the time it needs")
    func answer() throws {
        let harness = try Self.harness()
        harness.onReceive = { _, _ in }
        harness.receive(get)
        harness.pass(.hours(10))
        #expect(harness.channel.isActive)
        harness.answer()
        harness.pass(.seconds(29))
        #expect(harness.channel.isActive)
        harness.pass(.seconds(3))
        #expect(!harness.channel.isActive)
    }

    @Test("a client that takes nothing is closed, whatever else it does")
    func blocked() throws {
        let harness = try Self.harness()
        harness.onReceive = { _, _ in }
        harness.receive(get)
        harness.setWritable(false)
        harness.pass(.seconds(39))
        harness.receive(next)
        #expect(harness.channel.isActive)
        harness.pass(.seconds(3))
        #expect(!harness.channel.isActive)
        #expect(harness.notices.last == .gone)
    }

    @Test("a head that waits because answers wait is not late")
    func blockedHead() throws {
        let harness = try Self.harness()
        harness.receive(get)
        harness.setWritable(false)
        harness.receive("GET /n")
        harness.pass(.seconds(30))
        #expect(harness.channel.isActive)
        harness.setWritable(true)
        harness.pass(.seconds(12))
        #expect(harness.sent().contains("HTTP/1.1 408 "))
    }
}

@Suite("The limiter of accepting")
struct AcceptLimiterTests {
    @Test("after a failure to accept, it is tried again after a pause and no sooner")
    func shortage() throws {
        let loop = EmbeddedEventLoop()
        let channel = EmbeddedChannel(loop: loop)
        defer { _ = try? channel.finish(acceptAlreadyClosed: true) }
        try channel.pipeline.syncOperations.addHandler(AcceptLimiter(count: ConnectionCount(maximum: 1), logger: quiet))
        channel.pipeline.fireErrorCaught(IOError(errnoCode: 24, reason: "accept"))
        #expect(try channel.isAccepting == false)
        loop.advanceTime(by: AcceptLimiter.pause - .nanoseconds(1))
        #expect(try channel.isAccepting == false)
        loop.advanceTime(by: .nanoseconds(1))
        #expect(try channel.isAccepting == true)
    }

    @Test("the end of a shortage does not let in more than the limit")
    func limit() throws {
        let loop = EmbeddedEventLoop()
        let channel = EmbeddedChannel(loop: loop)
        defer { _ = try? channel.finish(acceptAlreadyClosed: true) }
        let count = ConnectionCount(maximum: 1)
        try channel.pipeline.syncOperations.addHandler(AcceptLimiter(count: count, logger: quiet))
        channel.pipeline.fireErrorCaught(IOError(errnoCode: 24, reason: "accept"))
        #expect(!count.opened(listener: channel))
        loop.advanceTime(by: AcceptLimiter.pause)
        #expect(try channel.isAccepting == false)
        count.closed()
        loop.run()
        #expect(try channel.isAccepting == true)
    }
}

extension EmbeddedChannel {
    /// The last value that automatic reading was set to.
    fileprivate var isAccepting: Bool? {
        get throws { options.last { $0.option is ChannelOptions.Types.AutoReadOption }?.value as? Bool }
    }
}
