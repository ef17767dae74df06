// SPDX-License-Identifier: MIT

import HTTP
import NIOCore
import Wire

/// One connection to an instance, used by one exchange at a time.
///
/// Confined to its loop.
///
/// Splits what the instance sends into heads and bodies and hands them to the exchange (the extension Reading); knows nothing
/// about MCP.
final class UpstreamConnection: Expiring, ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    enum Phase {
        case connecting
        /// Unused, in the pool.
        case idle
        /// Open and with an exchange, which has not sent anything yet.
        case reserved
        /// A request is on its way; its answer's head is not complete.
        case head
        /// Within the answer's body.
        case body
        case closed
    }

    /// Who uses it.
    private var exchange: ProxyExchange?
    /// Whether it has carried a request before, so that the server may have closed it meanwhile.
    private(set) var isReused = false
    /// Whether the server has sent anything since the request.
    private(set) var hasAnswered = false
    /// When the present wait ends.
    var expiry = NIODeadline.distantFuture

    private let pool: UpstreamPool
    let proxy: ProxyLoop
    var phase = Phase.connecting
    private var handlerContext: ChannelHandlerContext?
    private var sender = SocketSender()
    /// What was read and not looked at.
    var pending = HeldBytes()
    var searched = 0
    var framing = BodyFraming.none
    var keepsAlive = false
    var wantsPayload = false
    private var isReading = true

    init(pool: UpstreamPool, exchange: ProxyExchange) {
        self.pool = pool
        self.exchange = exchange
        proxy = pool.proxy
    }

    override var deadline: NIODeadline { expiry }

    /// Whether it can take a request.
    var isOpen: Bool { phase != .closed && phase != .connecting }
    /// Whether the server goes on after the answer that it gives.
    var mayGoOn: Bool { phase == .body && keepsAlive }
    /// Whether what is written leaves soon.
    var isWritable: Bool { handlerContext?.channel.isWritable ?? false }

    // MARK: - For the exchange

    /// Takes the connection out of the pool for `exchange`.
    func reserve(for exchange: ProxyExchange) {
        self.exchange = exchange
        phase = .reserved
        expiry = .distantFuture
    }

    /// Sends the beginning of a request.
    func begin(_ bytes: ByteBuffer) {
        phase = .head
        hasAnswered = false
        write(bytes)
    }

    /// Sends more of the request.
    @inline(__always)
    func write(_ bytes: ByteBuffer) {
        // A server may wait for all of a large body before it answers.
        if phase == .head { expiry = proxy.loop.sweep.deadline(after: proxy.configuration.responseTimeout) }
        guard phase != .closed, let rest = sender.send(bytes) else { return }
        sender.enqueued()
        handlerContext?.writeAndFlush(wrapOutboundOut(rest)).assumeIsolated().whenComplete { _ in
            self.sender.dequeued()
        }
    }

    /// Stops or goes on reading, for back pressure.
    func pauseReading(_ isPaused: Bool) {
        guard isPaused == isReading, let channel = handlerContext?.channel else { return }
        isReading = !isPaused
        _ = try? channel.syncOptions?.setOption(.autoRead, value: isReading)
    }

    /// The exchange is over: back to the pool if both sides are done with each other, otherwise the connection ends.
    func release(isRequestComplete: Bool) {
        exchange = nil
        guard phase == .body, framing.isComplete, keepsAlive, isRequestComplete, pending.isEmpty else {
            return close()
        }
        isReused = true
        pauseReading(false)
        rest()
    }

    /// The exchange needs no answer any more: back to the pool if nothing was sent, otherwise the connection ends.
    func cancel() {
        guard phase == .reserved else { return close() }
        exchange = nil
        rest()
    }

    private func rest() {
        phase = .idle
        expiry = proxy.loop.sweep.deadline(after: proxy.configuration.upstreamIdleTimeout)
        pool.giveBack(self)
    }

    /// Ends the connection at once; the exchange hears nothing more.
    func close() {
        exchange = nil
        guard phase != .closed else { return }
        let wasIdle = phase == .idle
        phase = .closed
        sender.end()
        pending.clear()
        proxy.loop.sweep.remove(self)
        handlerContext?.close(promise: nil)
        if wasIdle { pool.remove(self) }
    }

    // MARK: - The channel

    func handlerAdded(context: ChannelHandlerContext) {
        handlerContext = context
        if phase != .closed { proxy.loop.sweep.insert(self) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        handlerContext = nil
    }

    func connected() {
        guard phase == .connecting else {
            // The client went away meanwhile.
            handlerContext?.close(promise: nil)
            return
        }
        phase = .reserved
        if !pool.isSecure, let channel = handlerContext?.channel { sender = SocketSender(channel) }
        exchange?.upstreamConnected(self)
    }

    func connectFailed() {
        fail()
    }

    func channelInactive(context: ChannelHandlerContext) {
        ended()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        fail()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        exchange?.upstreamWritabilityChanged(isWritable: context.channel.isWritable)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard let exchange, phase == .head || phase == .body else {
            // Nobody asked: the server says something on an unused connection, such as that it gives it up.
            return fail()
        }
        hasAnswered = true
        let bytes = unwrapInboundIn(data)
        read(bytes, exchange)
        pending.fit()
        proxy.loop.readBuffer.giveBack(bytes)
    }

    private func ended() {
        guard phase != .closed else { return }
        if phase == .body, framing.isUntilClose, let exchange {
            framing = .none
            keepsAlive = false
            exchange.upstreamBody(ByteBuffer(), isEnd: true)
            close()
        } else {
            fail()
        }
    }

    func fail() {
        let exchange = exchange
        let phase = phase
        close()
        switch phase {
        case .connecting: exchange?.upstreamConnectFailed()
        case .reserved: exchange?.upstreamLost()
        case .head, .body: exchange?.upstreamFailed(self)
        case .idle, .closed: break
        }
    }

    override func deadlinePassed() {
        guard phase == .head else { return close() }
        let exchange = exchange
        close()
        exchange?.upstreamTimedOut()
    }
}
