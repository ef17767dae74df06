// SPDX-License-Identifier: MIT

internal import NIOCore
internal import Wire

/// One client's connection: splits it into requests, one at a time, and carries their answers.
///
/// Confined to its loop. The next request is looked at when the answer to the last one is finished, so pipelined requests
/// are answered in order; meanwhile at most one read's worth of bytes waits here and no more is read. A client that does
/// not take its answers gets no further ones. A client that closes its sending side gets the answers to what it has sent.
///
/// The work is spread over extensions: Reading (what the client sends), Ending (how the connection ends), Deadlines, and
/// HTTP2 (what happens when it turns out to be no connection of HTTP/1.1).
final class HTTPServerConnection: ClientLeg, ChannelInboundHandler, RemovableChannelHandler, ServerConnection {
    /// Bytes, as they come.
    typealias InboundIn = ByteBuffer
    /// Bytes of answers.
    typealias OutboundOut = ByteBuffer

    /// What the connection waits for.
    enum Phase {
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

    // Small fields together: they lie in memory as they are declared, and each among large ones would take a word.

    /// What is waited for.
    var phase = Phase.head
    /// Whether the client wants the connection to go on after the present request.
    var keepsAlive = true
    /// Whether the client waits for `100 Continue`.
    var mustSendContinue = false
    /// Whether the present request is one of HTTP/1.1.
    var isHTTP11 = true
    /// Whether the client has closed its sending side.
    var isInputClosed = false
    /// Whether bytes of the answer to the present request were written.
    var hasAnswerBegun = false
    /// Whether the channel reads.
    var isReading = true
    /// Whether the sink takes no bytes for now.
    var isReadingPausedBySink = false
    /// Whether ``parse()`` is at work, so that what it calls does not call it again.
    var isParsing = false
    /// Whether the present request was answered and the rest of its body is thrown away.
    var isDiscarding = false
    /// Whether so much waits to be sent that nothing should be added.
    var isBlocked = false
    /// Where the present body ends.
    var framing = BodyFraming.none
    /// What was read and not looked at.
    var pending = ByteBuffer()
    /// How much of ``pending`` was searched for the end of a head in vain.
    var searched = 0
    /// Takes the present request and answers it.
    var sink: (any RequestSink)?
    /// When the present phase has taken too long.
    var phaseDeadline = NIODeadline.distantFuture
    /// When the client has taken nothing for too long, while there is more than enough for it to take.
    var writeDeadline = NIODeadline.distantFuture
    /// How many bytes were written since the connection began.
    var written = 0
    /// How many of them the client's side had taken when this was last asked.
    var taken = 0
    /// The short way to the socket.
    var sender = SocketSender()
    /// The place in the pipeline; `nil` before and after.
    var handlerContext: ChannelHandlerContext?

    override var isWritable: Bool { channel.isWritable }
    override var closesAfterAnswer: Bool {
        !keepsAlive || context.isDraining || (phase == .body && !takesRest)
            || (isInputClosed && pending.readableBytes == 0)
    }
    override var isOpen: Bool { phase != .closed && phase != .linger }
    /// When the present wait ends.
    override var deadline: NIODeadline { min(phaseDeadline, writeDeadline) }

    // MARK: - For sinks

    override func headSlice(length: Int) -> ByteBuffer {
        pending.getSlice(at: pending.readerIndex, length: length) ?? ByteBuffer()
    }

    override func write(_ bytes: ByteBuffer) {
        guard isOpen, let handlerContext else { return }
        hasAnswerBegun = true
        written += bytes.readableBytes
        if isInputClosed { phaseDeadline = context.sweep.deadline(after: context.configuration.halfClosedTimeout) }
        guard let rest = sender.send(bytes) else { return }
        sender.enqueued()
        handlerContext.writeAndFlush(wrapOutboundOut(rest)).assumeIsolated().whenComplete { _ in
            self.sender.dequeued()
        }
    }

    override func finishAnswer(keepAlive: Bool = true) {
        guard phase == .answer || phase == .body else { return }
        let isRequestComplete = phase == .answer
        sink = nil
        isReadingPausedBySink = false
        guard keepAlive, keepsAlive, isRequestComplete || takesRest, !context.isDraining else { return linger() }
        guard isRequestComplete else { return discardRest() }
        phase = .head
        phaseDeadline = context.sweep.deadline(after: context.configuration.idleTimeout)
        if !isParsing { parse() }
    }

    override func sendContinueIfAwaited() {
        guard mustSendContinue, isOpen else { return }
        mustSendContinue = false
        guard !hasAnswerBegun else { return }
        write(ByteBuffer(staticString: "HTTP/1.1 100 Continue\r\n\r\n"))
        hasAnswerBegun = false
    }

    override func pauseReading(_ isPaused: Bool) {
        guard isPaused != isReadingPausedBySink, phase == .body || phase == .answer else { return }
        isReadingPausedBySink = isPaused
        if phase == .body {
            phaseDeadline =
                isPaused ? .distantFuture : context.sweep.deadline(after: context.configuration.bodyTimeout)
            if !isPaused, !isParsing, pending.readableBytes == 0 { sendContinueIfAwaited() }
        }
        updateReading()
    }

    override func abort() {
        close()
    }

    override func clearDeadline() {
        phaseDeadline = .distantFuture
    }

    // MARK: - Events of the channel

    /// The connection begins.
    func handlerAdded(context handlerContext: ChannelHandlerContext) {
        self.handlerContext = handlerContext
        if context.configuration.secure == nil { sender = SocketSender(channel) }
        phaseDeadline = context.sweep.deadline(after: context.configuration.headTimeout)
        context.add(self)
    }

    /// The connection is over.
    func handlerRemoved(context handlerContext: ChannelHandlerContext) {
        ended()
        self.handlerContext = nil
    }

    /// The connection is over.
    func channelInactive(context handlerContext: ChannelHandlerContext) {
        ended()
    }

    /// What can't be read from can't be answered either.
    func errorCaught(context handlerContext: ChannelHandlerContext, error: any Error) {
        close()
    }

    /// The client took enough of what waits for it, or too much waits.
    func channelWritabilityChanged(context handlerContext: ChannelHandlerContext) {
        isBlocked = !channel.isWritable
        if isBlocked {
            awaitTaking()
        } else if phase != .linger {
            writeDeadline = .distantFuture
        }
        sink?.writabilityChanged()
        // Requests that wait here because of answers that waited.
        if phase == .head, !isParsing { parse() }
    }

    /// Either side has said its last.
    func userInboundEventTriggered(context handlerContext: ChannelHandlerContext, event: Any) {
        switch event as? ChannelEvent {
        case .inputClosed: inputClosed()
        case .outputClosed: outputClosed()
        case nil:
            if isHTTP2(event) { becomeHTTP2() }
            handlerContext.fireUserInboundEventTriggered(event)
        }
    }

    /// Bytes of a request.
    func channelRead(context handlerContext: ChannelHandlerContext, data: NIOAny) {
        guard isOpen else { return }
        let bytes = unwrapInboundIn(data)
        if pending.readableBytes == 0 { pending = bytes } else { pending.writeImmutableBuffer(bytes) }
        if !isParsing { parse() }
        pending.fit()
        sink?.compact()
        context.readBuffer.giveBack(bytes)
    }

    /// Ends what takes too long.
    override func deadlinePassed() {
        endWhatIsLate()
    }
}
