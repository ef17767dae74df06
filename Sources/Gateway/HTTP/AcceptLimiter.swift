// SPDX-License-Identifier: MIT

internal import Logging
internal import NIOCore

/// Holds back new connections while there are enough, and while descriptors have run out.
///
/// Stands on the listening channel; those held back wait in the kernel's queue. Confined to the channel's loop.
final class AcceptLimiter: ChannelInboundHandler {
    typealias InboundIn = any Channel
    typealias InboundOut = any Channel

    /// How long to wait before accepting again after the system refused: accept(2) fails at once, so an unpaused loop
    /// would do nothing else.
    static let pause = TimeAmount.milliseconds(100)

    private let count: ConnectionCount
    private let logger: Logger
    /// Whether the last attempt to accept failed, so that one shortage is one line of the log.
    private var isShort = false

    /// A limiter for one listening channel; `count` is shared with the other listeners.
    init(count: ConnectionCount, logger: Logger) {
        self.count = count
        self.logger = logger
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        isShort = false
        let count = count
        let mayAcceptMore = count.opened(listener: context.channel)
        // Also when the connection never gets as far as to have handlers.
        unwrapInboundIn(data).closeFuture.whenComplete { _ in count.closed() }
        context.fireChannelRead(data)
        if !mayAcceptMore { Self.setAccepting(context.channel, false) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? IOError else {
            context.fireErrorCaught(error)
            return
        }
        if !isShort {
            isShort = true
            logger.warning(
                "the system refuses to accept connections; they wait", metadata: ["errno": "\(error.errnoCode)"])
        }
        let channel = context.channel
        let count = count
        Self.setAccepting(channel, false)
        context.eventLoop.scheduleTask(in: Self.pause) { count.resume(channel) }
    }

    /// Begins or stops to accept.
    static func setAccepting(_ channel: any Channel, _ isAccepting: Bool) {
        channel.setOption(.autoRead, value: isAccepting).whenComplete { _ in }
    }
}
