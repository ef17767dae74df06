// SPDX-License-Identifier: MIT

internal import NIOCore
internal import Synchronization

/// Holds back new connections while there are enough, and while descriptors have run out.
///
/// Stands on the listening channel; those held back wait in the kernel's queue.
final class AcceptLimiter: ChannelInboundHandler, Sendable {
    typealias InboundIn = any Channel
    typealias InboundOut = any Channel

    /// How long to wait before accepting again after the system refused: accept(2) fails at once, so an unpaused loop
    /// would do nothing else.
    private static let pause = TimeAmount.milliseconds(100)

    private let count: ConnectionCount

    init(count: ConnectionCount) {
        self.count = count
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        context.fireChannelRead(data)
        if !count.opened(listener: context.channel) { Self.setAccepting(context.channel, false) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard error is IOError else {
            context.fireErrorCaught(error)
            return
        }
        let channel = context.channel
        Self.setAccepting(channel, false)
        context.eventLoop.scheduleTask(in: Self.pause) { Self.setAccepting(channel, true) }
    }

    fileprivate static func setAccepting(_ channel: any Channel, _ isAccepting: Bool) {
        channel.setOption(.autoRead, value: isAccepting).whenComplete { _ in }
    }
}

/// How many connections there are, over all loops, and which listeners wait for one to close.
final class ConnectionCount: Sendable {
    private struct State {
        var open = 0
        var paused: [any Channel] = []
    }

    private let maximum: Int
    private let state = Mutex(State())

    init(maximum: Int) {
        self.maximum = maximum
    }

    /// Counts a connection that `listener` accepted; `false` when it must not accept another one until one closes.
    func opened(listener: any Channel) -> Bool {
        state.withLock { state in
            state.open += 1
            guard state.open >= maximum else { return true }
            if !state.paused.contains(where: { $0 === listener }) { state.paused.append(listener) }
            return false
        }
    }

    /// Counts a connection less, and lets listeners accept again.
    func closed() {
        let listeners = state.withLock { state in
            state.open -= 1
            guard !state.paused.isEmpty, state.open < maximum else { return [any Channel]() }
            let listeners = state.paused
            state.paused = []
            return listeners
        }
        for listener in listeners { AcceptLimiter.setAccepting(listener, true) }
    }
}
