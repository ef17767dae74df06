// SPDX-License-Identifier: MIT

public import NIOCore
internal import Wire

/// One client's connection: splits it into requests, one at a time, and carries their answers.
///
/// Confined to its loop.
///
/// The next request is looked at when the answer to the last one is finished, so pipelined requests are answered in
/// order; meanwhile at most one read's worth of bytes waits here and no more is read.
public final class HTTPServerConnection: ChannelInboundHandler, Expiring {
    /// What is read.
    public typealias InboundIn = ByteBuffer
    /// What is written.
    public typealias OutboundOut = ByteBuffer

    private enum Phase {
        /// Between requests, or within a head.
        case head
        /// Within a body.
        case body
        /// The request is complete, its answer is not.
        case answer
        /// All is said; what the client still sends is thrown away.
        case linger
        /// Over.
        case closed
    }

    /// What the loop's connections share.
    public let context: HTTPServerLoop
    /// The channel.
    public var channel: any Channel {
        guard let openChannel else {
            preconditionFailure("the channel is set in handlerAdded, before anything is called")
        }
        return openChannel
    }
    private var openChannel: (any Channel)?
    /// When the present wait ends.
    public private(set) var deadline = NIODeadline.distantFuture
    /// Belongs to the sweep.
    public var sweepIndex = -1

    private var phase = Phase.head
    private var pending = ByteBuffer()
    private var searched = 0
    private var framing = BodyFraming.none
    private var sink: (any RequestSink)?
    private var keepsAlive = true
    private var mustSendContinue = false
    private var hasAnswerBegun = false
    private var isReading = true
    private var isReadingPausedBySink = false
    private var isParsing = false
    private var handlerContext: ChannelHandlerContext?

    init(context: HTTPServerLoop) {
        self.context = context
    }

    /// The loop.
    public var eventLoop: any EventLoop { context.eventLoop }
    /// Whether what is written leaves soon; otherwise wait for ``RequestSink/writabilityChanged()``.
    public var isWritable: Bool { channel.isWritable }
    /// The other end's IP address, or `unix`.
    public var peer: String { channel.remoteAddress?.ipAddress ?? "unix" }
    /// Whether the connection will be closed after the present answer, so that the answer must say so.
    public var closesAfterAnswer: Bool { !keepsAlive || context.isDraining || phase == .body }
    /// Whether the client is still there.
    public var isOpen: Bool { phase != .closed && phase != .linger }

    /// What the loop's router keeps with the connection; released when the connection ends.
    public var attachment: AnyObject?

    // MARK: - For sinks

    /// The head that is being routed, kept beyond the call; only within ``RequestRouter/route(_:on:)``.
    public func headSlice(length: Int) -> ByteBuffer {
        pending.getSlice(at: pending.readerIndex, length: length) ?? ByteBuffer()
    }

    /// Writes bytes of an answer.
    @inline(__always)
    public func write(_ bytes: ByteBuffer) {
        guard isOpen, let handlerContext else { return }
        hasAnswerBegun = true
        if !isWritable { armWriteDeadline() }
        handlerContext.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
    }

    /// The answer is complete.
    ///
    /// The next request is looked at, or the connection is closed when either side wants so, or when the request
    /// itself is not complete.
    public func finishAnswer(keepAlive: Bool = true) {
        guard isOpen else { return }
        let isRequestComplete = phase == .answer
        sink = nil
        isReadingPausedBySink = false
        if keepAlive, keepsAlive, isRequestComplete, !context.isDraining {
            phase = .head
            deadline = context.sweep.deadline(after: context.configuration.idleTimeout)
            if !isParsing { parse() }
            return
        }
        linger()
    }

    /// Tells a client that waits for it to send its body.
    ///
    /// Without effect otherwise.
    public func sendContinueIfAwaited() {
        guard mustSendContinue, isOpen else { return }
        mustSendContinue = false
        guard !hasAnswerBegun else { return }
        write(ByteBuffer(staticString: "HTTP/1.1 100 Continue\r\n\r\n"))
        hasAnswerBegun = false
    }

    /// Stops or goes on reading the request's body, for back pressure.
    public func pauseReading(_ isPaused: Bool) {
        if phase == .body, isPaused != isReadingPausedBySink {
            // A client that is kept from sending is not late.
            deadline =
                isPaused ? .distantFuture : context.sweep.deadline(after: context.configuration.bodyTimeout)
        }
        isReadingPausedBySink = isPaused
        updateReading()
    }

    /// Closes the connection at once, whatever is unfinished; the client sees that something went wrong.
    public func abort() {
        close()
    }

    /// From now on the answer may take as long as it takes.
    public func clearDeadline() {
        deadline = .distantFuture
    }

    // MARK: - Reading

    /// The connection begins.
    public func handlerAdded(context handlerContext: ChannelHandlerContext) {
        self.handlerContext = handlerContext
        openChannel = handlerContext.channel
        deadline = context.sweep.deadline(after: context.configuration.headTimeout)
        context.add(self)
    }

    /// The connection is over.
    public func handlerRemoved(context handlerContext: ChannelHandlerContext) {
        ended()
        self.handlerContext = nil
    }

    /// The other end is gone.
    public func channelInactive(context handlerContext: ChannelHandlerContext) {
        ended()
    }

    /// The socket failed.
    public func errorCaught(context handlerContext: ChannelHandlerContext, error: any Error) {
        close()
    }

    /// The socket takes more, or no more.
    public func channelWritabilityChanged(context handlerContext: ChannelHandlerContext) {
        if handlerContext.channel.isWritable {
            if phase == .answer { deadline = .distantFuture }
        } else {
            armWriteDeadline()
        }
        sink?.writabilityChanged()
    }

    /// Bytes arrived.
    public func channelRead(context handlerContext: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        switch phase {
        case .linger, .closed: return
        case .head, .body, .answer: break
        }
        if pending.readableBytes == 0 {
            pending = bytes
        } else {
            pending.writeBuffer(&bytes)
        }
        if !isParsing { parse() }
    }

    private func parse() {
        isParsing = true
        defer { isParsing = false }
        while true {
            switch phase {
            case .head:
                guard parseHead() else { return updateReading() }
            case .body:
                guard parseBody() else { return updateReading() }
            case .answer:
                // A stream may be silent for hours: it keeps no buffer meanwhile.
                if pending.readableBytes == 0 { pending = ByteBuffer() }
                return updateReading()
            case .linger, .closed:
                pending = ByteBuffer()
                return
            }
        }
    }

    /// - Returns: whether there may be more to do at once.
    private func parseHead() -> Bool {
        // RFC 9112 §2.2: an empty line before a request line is skipped.
        while searched == 0, pending.readableBytes >= 2,
            pending.getInteger(at: pending.readerIndex, as: UInt16.self) == 0x0D0A
        {
            pending.moveReaderIndex(forwardBy: 2)
        }
        guard pending.readableBytes > 0 else {
            pending = ByteBuffer()
            return false
        }
        do {
            let routed = try pending.withUnsafeReadableBytes { bytes throws(HeadError) -> Int? in
                guard
                    let head = try context.scanner.request(
                        bytes, searched: searched, limits: context.configuration.headLimits)
                else { return nil }
                begin(head, bytes)
                return head.length
            }
            guard let length = routed else {
                if searched == 0 { deadline = context.sweep.deadline(after: context.configuration.headTimeout) }
                searched = pending.readableBytes
                return false
            }
            searched = 0
            if isOpen { pending.moveReaderIndex(forwardBy: length) }
            if phase == .answer, let sink { sink.receive(ByteBuffer(), isEnd: true) }
            return true
        } catch {
            refuse(error)
            return false
        }
    }

    private func begin(_ head: RequestHead, _ bytes: UnsafeRawBufferPointer) {
        keepsAlive = head.keepsAlive
        framing = head.framing
        mustSendContinue = head.expectsContinue
        hasAnswerBegun = false
        phase = framing.isComplete ? .answer : .body
        deadline =
            framing.isComplete
            ? .distantFuture : context.sweep.deadline(after: context.configuration.bodyTimeout)
        let view = RequestView(
            head: head, bytes: UnsafeRawBufferPointer(rebasing: bytes[..<head.length]), scanner: context.scanner)
        let sink = context.router.route(view, on: self)
        // A router may have answered already, and the answer may have ended the connection.
        if phase == .answer || phase == .body { self.sink = sink }
    }

    private func parseBody() -> Bool {
        guard let sink else { return false }
        guard pending.readableBytes > 0 else {
            // The client may be waiting for us; what came with the head was not all.
            if mustSendContinue { sendContinueIfAwaited() }
            return false
        }
        mustSendContinue = false
        do {
            if sink.wantsPayload {
                var offset = 0
                let piece = try pending.withUnsafeReadableBytes { bytes throws(HeadError) in
                    try framing.next(bytes, at: &offset)
                }
                switch piece {
                case .payload(let range):
                    pending.moveReaderIndex(forwardBy: range.lowerBound)
                    guard let payload = pending.readSlice(length: range.count) else { return false }
                    deliver(payload, to: sink)
                case .more: pending.clear()
                case .end:
                    pending.moveReaderIndex(forwardBy: offset)
                    deliver(ByteBuffer(), to: sink)
                }
            } else {
                let count = try pending.withUnsafeReadableBytes { bytes throws(HeadError) in try framing.take(bytes) }
                guard let slice = pending.readSlice(length: count) else { return false }
                deliver(slice, to: sink)
            }
            return true
        } catch {
            refuse(error)
            return false
        }
    }

    private func deliver(_ bytes: ByteBuffer, to sink: any RequestSink) {
        let isEnd = framing.isComplete
        if isEnd {
            phase = .answer
            deadline = .distantFuture
        } else if !isReadingPausedBySink {
            deadline = context.sweep.deadline(after: context.configuration.bodyTimeout)
        }
        sink.receive(bytes, isEnd: isEnd)
    }

    private func updateReading() {
        let wanted: Bool =
            switch phase {
            case .head, .linger: true
            case .body: !isReadingPausedBySink
            // One read of pipelined bytes may wait; reading on is what notices that the client is gone.
            case .answer: pending.readableBytes == 0
            case .closed: false
            }
        guard wanted != isReading, phase != .closed else { return }
        isReading = wanted
        _ = try? channel.syncOptions?.setOption(.autoRead, value: wanted)
    }

    // MARK: - Ending

    private func refuse(_ error: HeadError) {
        refuse(with: PlainAnswer.bytes(status: error.status, text: error.explanation, allocator: channel.allocator))
    }

    /// Ends the connection with an answer to a request that will never be whole; if an answer has begun already, there
    /// is no clean end any more.
    private func refuse(with answer: ByteBuffer) {
        let isTooLate = hasAnswerBegun && phase != .head
        if let sink {
            self.sink = nil
            sink.clientGone()
        }
        guard isOpen else { return }
        guard !isTooLate else { return close() }
        keepsAlive = false
        write(answer)
        linger()
    }

    /// Closes the sending side, and the rest when the client has closed too or the linger time is over: closing at once
    /// with unread bytes would reset the connection and could take the answer away from the client (RFC 9112 §9.6).
    private func linger() {
        guard isOpen else { return }
        phase = .linger
        sink = nil
        pending = ByteBuffer()
        deadline = context.sweep.deadline(after: context.configuration.lingerTimeout)
        updateReading()
        handlerContext?.close(mode: .output, promise: nil)
    }

    private func close() {
        guard phase != .closed else { return }
        handlerContext?.close(promise: nil)
        ended()
    }

    private func ended() {
        guard phase != .closed else { return }
        phase = .closed
        pending = ByteBuffer()
        context.remove(self)
        if let sink {
            self.sink = nil
            sink.clientGone()
        }
        attachment = nil
    }

    private func armWriteDeadline() {
        let limit = context.sweep.deadline(after: context.configuration.writeTimeout)
        if deadline > limit { deadline = limit }
    }

    /// The server is stopping: an idle connection is closed at once, a busy one after its answer.
    func drain() {
        if phase == .head, pending.readableBytes == 0 { close() }
    }

    /// See ``Expiring``.
    public func deadlinePassed() {
        switch phase {
        case .head where pending.readableBytes > 0, .body:
            let text = "the request did not arrive in time"
            refuse(with: PlainAnswer.bytes(status: 408, text: text, allocator: channel.allocator))
        case .head, .answer, .linger, .closed: close()
        }
    }
}
