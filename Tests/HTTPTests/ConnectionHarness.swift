// SPDX-License-Identifier: MIT

import NIOCore
import NIOEmbedded
import Wire

@testable import HTTP

/// A connection without a socket, on a loop whose clock stands still until it is moved.
final class ConnectionHarness {
    /// What a sink is told.
    enum Notice: Equatable {
        case routed(String)
        case payload(String)
        case end
        case writability
        case inputClosed
        case drain
        case gone
    }

    /// Notes what it is told, and does what the test wants.
    final class Sink: RequestSink {
        weak let harness: ConnectionHarness?
        let wantsPayload: Bool

        init(_ harness: ConnectionHarness?, wantsPayload: Bool) {
            self.harness = harness
            self.wantsPayload = wantsPayload
        }

        func receive(_ bytes: ByteBuffer, isEnd: Bool) {
            let text = String(buffer: bytes)
            if !text.isEmpty { harness?.note(.payload(text)) }
            guard let harness else { return }
            if isEnd { harness.note(.end) }
            harness.onReceive(harness, isEnd)
        }

        func compact() {}
        func writabilityChanged() { harness?.note(.writability) }
        func inputClosed() { harness?.note(.inputClosed) }
        func drain() { harness?.note(.drain) }
        func clientGone() { harness?.note(.gone) }
    }

    private final class Router: RequestRouter {
        weak let harness: ConnectionHarness?

        init(_ harness: ConnectionHarness) { self.harness = harness }

        func route(_ request: RequestView, on connection: ClientLeg) -> any RequestSink {
            let sink = Sink(harness, wantsPayload: harness?.wantsPayload ?? true)
            guard let harness else { return sink }
            harness.note(.routed(request.text(request.head.target)))
            harness.lastSink = sink
            harness.onRoute(harness)
            return sink
        }
    }

    let eventLoop = EmbeddedEventLoop()
    let channel: EmbeddedChannel
    let loop: HTTPServerLoop
    let connection: HTTPServerConnection
    private(set) var notices: [Notice] = []
    weak var lastSink: Sink?
    var wantsPayload = true
    var onRoute: (ConnectionHarness) -> Void = { _ in }
    /// Answers at the end of a request, if nothing else is wanted.
    var onReceive: (ConnectionHarness, Bool) -> Void = { harness, isEnd in if isEnd { harness.answer() } }

    init(_ configuration: HTTPServerConfiguration = HTTPServerConfiguration()) throws {
        channel = EmbeddedChannel(loop: eventLoop)
        loop = HTTPServerLoop(eventLoop: eventLoop, configuration: configuration)
        connection = HTTPServerConnection(context: loop, channel: channel)
        loop.setRouter(Router(self))
        try channel.pipeline.syncOperations.addHandler(connection)
        channel.connect(to: try SocketAddress(unixDomainSocketPath: "/nowhere"), promise: nil)
    }

    deinit {
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    /// Pieces of payload become one, so that the same is noted however the bytes come.
    func note(_ notice: Notice) {
        if case .payload(let text) = notice, case .payload(let before)? = notices.last {
            notices[notices.count - 1] = .payload(before + text)
        } else {
            notices.append(notice)
        }
    }

    /// Gives the whole answer.
    func answer(_ text: String = "ok;") {
        connection.write(ByteBuffer(string: text))
        connection.finishAnswer()
    }

    func receive(_ text: String) { receive(Array(text.utf8)[...]) }

    func receive(_ bytes: ArraySlice<UInt8>) {
        guard channel.isActive, !bytes.isEmpty else { return }
        channel.pipeline.fireChannelRead(ByteBuffer(bytes: bytes))
        eventLoop.run()
    }

    /// What was written since this was last asked.
    func sent() -> String {
        var text = ""
        while let bytes = try? channel.readOutbound(as: ByteBuffer.self) { text += String(buffer: bytes) }
        return text
    }

    func setWritable(_ isWritable: Bool) {
        channel.isWritable = isWritable
        channel.pipeline.fireChannelWritabilityChanged()
    }

    /// Moves the clock, far enough that what is due after `amount` is noticed.
    func pass(_ amount: TimeAmount) { eventLoop.advanceTime(by: amount) }
}
