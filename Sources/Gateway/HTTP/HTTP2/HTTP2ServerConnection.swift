// SPDX-License-Identifier: MIT

internal import NIOCore
internal import NIOHPACK
internal import NIOHTTP2
internal import Wire

/// One client's connection of HTTP/2 (RFC 9113): hands frames to their streams, and gives back what may be sent.
///
/// Confined to its loop. Frames, their compression, the states of streams and the windows of what is sent are the
/// business of the handler in front of it; here are the requests. A stream is an object and no channel, so that a stream
/// of events that is silent costs little.
///
/// The work is spread over extensions: Ending (how it stops, and what it does not stand), Sending (what streams send).
final class HTTP2ServerConnection: Expiring, ChannelInboundHandler, ServerConnection {
    typealias InboundIn = HTTP2Frame
    typealias OutboundOut = HTTP2Frame

    /// How the connection is going to end.
    enum Phase {
        case open
        /// No new streams are taken; ends with the last of those there are.
        case draining
        /// All is said; waits for the client to close.
        case linger
        case closed
    }

    /// What the loop's connections share.
    let context: HTTPServerLoop
    /// The channel.
    let channel: any Channel
    /// When a connection without streams has been there for too long.
    var expiry: NIODeadline

    /// How it is going to end.
    var phase = Phase.open
    /// The requests under way, and those whose answers are.
    var streams: [HTTP2StreamID: HTTP2ServerStream] = [:]
    /// The last stream that was begun.
    var lastStreamID = HTTP2StreamID.rootStream
    /// How many bytes of bodies the client may send, all streams together, as it was told.
    var inboundWindow = 65_535
    /// How many bytes of bodies wait in streams.
    var heldBytes = 0
    /// Requests taken back before they were answered, in the present period.
    var cancellations = 0
    /// When the present period ends.
    var cancellationsEnd = NIODeadline.uptimeNanoseconds(0)
    /// Whether the handler of frames has told the client that the connection is broken.
    var isBroken = false
    /// The place in the pipeline; `nil` before and after.
    var handlerContext: ChannelHandlerContext?

    /// A connection that its loop does not know yet.
    init(context: HTTPServerLoop, channel: any Channel) {
        self.context = context
        self.channel = channel
        expiry = context.sweep.deadline(after: context.configuration.headTimeout)
    }

    override var deadline: NIODeadline { expiry }

    /// The handler that makes frames of bytes.
    ///
    /// - Parameter observer: Learns whether a fault ended the connection.
    static func frames(_ configuration: HTTPServerConfiguration, observer: HTTP2ServerConnection) -> NIOHTTP2Handler {
        let http2 = configuration.http2
        let limits = configuration.headLimits
        var connection = NIOHTTP2Handler.ConnectionConfiguration()
        connection.initialSettings = [
            HTTP2Setting(parameter: .maxConcurrentStreams, value: http2.maximumStreams),
            HTTP2Setting(parameter: .initialWindowSize, value: http2.streamWindow),
            // What is larger ends the connection; up to here a head that is too large is answered (RFC 9113 §10.5.1).
            HTTP2Setting(parameter: .maxHeaderListSize, value: 2 * (limits.bytes + 32 * limits.fields)),
        ]
        connection.maximumSequentialContinuationFrames = 2 + 2 * limits.bytes / (16 << 10)
        connection.controlFrameRateLimit.maximumCount = 1000
        var stream = NIOHTTP2Handler.StreamConfiguration()
        // Clients hang up on streams of events that they have read enough of; what is counted is in `cancelled`.
        stream.streamResetFrameRateLimit.maximumCount = 100_000
        return NIOHTTP2Handler(
            mode: .server, frameDelegate: FrameObserver(connection: observer), connectionConfiguration: connection,
            streamConfiguration: stream)
    }

    /// Whether it has gone or is about to.
    var isOver: Bool { phase == .closed || phase == .linger }

    // MARK: - Events of the channel

    func handlerAdded(context handlerContext: ChannelHandlerContext) {
        self.handlerContext = handlerContext
        let extra = context.configuration.http2.connectionWindow - inboundWindow
        if extra > 0 { send(.windowUpdate(windowSizeIncrement: extra), on: .rootStream) }
        flush()
        if context.isDraining { drain() }
    }

    func handlerRemoved(context handlerContext: ChannelHandlerContext) {
        ended()
        self.handlerContext = nil
    }

    func channelInactive(context handlerContext: ChannelHandlerContext) {
        ended()
    }

    func errorCaught(context handlerContext: ChannelHandlerContext, error: any Error) {
        // A fault of one stream has been answered already, and the others go on.
        if isBroken {
            linger()
        } else if !(error is any NIOHTTP2Error), !(error is NIOHTTP2Errors.StreamError) {
            close()
        }
    }

    func channelRead(context handlerContext: ChannelHandlerContext, data: NIOAny) {
        guard !isOver else { return }
        let frame = unwrapInboundIn(data)
        switch frame.payload {
        case .headers(let content):
            if let stream = streams[frame.streamID] {
                // Trailers; a proxy may leave them out (RFC 9110 §6.5.1).
                stream.receive(ByteBuffer(), isEnd: content.endStream)
            } else {
                begin(frame.streamID, content.headers, isEnd: content.endStream)
            }
        case .data(let content):
            guard case .byteBuffer(let bytes) = content.data else { return }
            streams[frame.streamID]?.receive(bytes, isEnd: content.endStream)
        // The client is going to close, or has something against us; its requests are answered.
        case .goAway: stopTaking()
        default: break
        }
    }

    func channelWritabilityChanged(context handlerContext: ChannelHandlerContext) {
        handlerContext.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context handlerContext: ChannelHandlerContext, event: Any) {
        switch event {
        case let event as NIOHTTP2WindowUpdatedEvent: windowChanged(event)
        case let event as StreamClosedEvent: streamClosed(event)
        // There is no request that half a connection could finish.
        case let event as ChannelEvent where event == .inputClosed: close()
        case let event as ChannelEvent where event == .outputClosed: outputClosed()
        default: handlerContext.fireUserInboundEventTriggered(event)
        }
    }

    override func deadlinePassed() {
        switch phase {
        case .open, .draining:
            if streams.isEmpty { goAway() } else { expiry = .distantFuture }
        case .linger: close()
        case .closed: break
        }
    }

    // MARK: - Streams

    private func begin(_ id: HTTP2StreamID, _ fields: HPACKHeaders, isEnd: Bool) {
        guard phase == .open, streams.count < context.configuration.http2.maximumStreams else {
            // RFC 9113 §8.7: nothing was done, so it may be sent again.
            send(.rstStream(.refusedStream), on: id)
            return flush()
        }
        lastStreamID = max(lastStreamID, id)
        expiry = .distantFuture
        let stream = HTTP2ServerStream(id: id, connection: self)
        streams[id] = stream
        stream.begin(fields, isEnd: isEnd)
    }

    private func streamClosed(_ event: StreamClosedEvent) {
        guard let stream = streams.removeValue(forKey: event.streamID) else { return }
        heldBytes -= stream.held.readableBytes
        let isCancelled = event.reason != nil && !stream.hasAnswerBegun && !stream.isReset
        stream.ended()
        giveBack()
        if isCancelled { cancelled() }
        if streams.isEmpty { becameIdle() }
    }

    private func becameIdle() {
        guard !isOver else { return }
        if phase == .open {
            expiry = context.sweep.deadline(after: context.configuration.idleTimeout)
        } else {
            goAway()
        }
    }

    /// Takes note of a client that takes back what it has just asked for.
    private func cancelled() {
        let http2 = context.configuration.http2
        let now = context.sweep.now
        if now >= cancellationsEnd {
            cancellations = 0
            cancellationsEnd = now + http2.cancellationPeriod
        }
        cancellations += 1
        if cancellations > http2.maximumCancellations { goAway(.enhanceYourCalm) }
    }
}
