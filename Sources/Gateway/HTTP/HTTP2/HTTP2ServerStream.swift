// SPDX-License-Identifier: MIT

internal import NIOCore
internal import NIOHPACK
internal import NIOHTTP2
internal import Wire

/// One stream of HTTP/2: a request, and its answer.
///
/// Confined to its loop. The extension Answer has what becomes of an answer's bytes.
final class HTTP2ServerStream: ClientLeg {
    /// How far the answer is.
    enum Answer {
        /// Its head is not complete.
        case head
        /// Within its body.
        case body(BodyFraming)
        /// All of it was written, and perhaps not sent yet.
        case complete
    }

    /// The number of the stream.
    let id: HTTP2StreamID
    /// The connection, which lets go of the stream when it ends.
    let connection: HTTP2ServerConnection

    // The request
    /// Takes the request and answers it.
    var sink: (any RequestSink)?
    /// The request's head while it is being routed.
    var head = ByteBuffer()
    /// Whether the request was a HEAD.
    var isHead = false
    /// Whether all of the request is here.
    var isRequestComplete = false
    /// Whether the client waits for `100 Continue`.
    var mustSendContinue = false
    /// What of the body waits until the sink takes more.
    var held = ByteBuffer()
    /// Whether what is held is the end.
    var heldIsEnd = false
    /// Whether the sink takes no bytes for now.
    var isReadingPausedBySink = false
    /// Whether bytes are being delivered.
    var isDelivering = false
    /// How many bytes of the body the client may send, as it was told.
    var inboundWindow: Int
    /// How much of a body was thrown away that nobody wants any more.
    var discarded = 0
    /// When the body has paused for too long, or an answer's end.
    var phaseDeadline = NIODeadline.distantFuture

    // The answer
    /// How far it is.
    var answer = Answer.head
    /// What there is of a head that is not complete.
    var answerHead = ByteBuffer()
    /// Whether the end of the stream was sent with it.
    var isEndSent = false
    /// Whether anything of it was sent.
    var hasAnswerBegun = false
    /// How many bytes of its body wait to be sent.
    var unsent = 0
    /// Whether so much waits that nothing should be added.
    var isBlocked = false
    /// When the client has taken nothing for too long.
    var writeDeadline = NIODeadline.distantFuture
    /// Whether we have given the stream up.
    var isReset = false
    /// Whether the stream is over.
    var isEnded = false

    init(id: HTTP2StreamID, connection: HTTP2ServerConnection) {
        self.id = id
        self.connection = connection
        inboundWindow = connection.context.configuration.http2.streamWindow
        super.init(context: connection.context, channel: connection.channel)
        context.sweep.insert(self)
    }

    override var isWritable: Bool { !isBlocked }
    /// One stream's answer says nothing of the connection.
    override var closesAfterAnswer: Bool { false }
    override var isOpen: Bool { !isEnded && !isReset && !isAnswerComplete }
    /// When the present wait ends.
    override var deadline: NIODeadline { min(phaseDeadline, writeDeadline) }

    /// Whether all of the answer was written.
    var isAnswerComplete: Bool { if case .complete = answer { true } else { false } }

    override func headSlice(length: Int) -> ByteBuffer {
        head.getSlice(at: head.readerIndex, length: length) ?? ByteBuffer()
    }

    override func clearDeadline() {
        if isRequestComplete { phaseDeadline = .distantFuture }
    }

    override func write(_ bytes: ByteBuffer) { writeAnswer(bytes) }
    override func finishAnswer(keepAlive: Bool = true) { completeAnswer() }
    override func abort() { reset(.internalError) }

    override func sendContinueIfAwaited() {
        guard mustSendContinue, isOpen else { return }
        mustSendContinue = false
        if !hasAnswerBegun { sendContinue() }
    }

    // MARK: - The request

    /// Has the request routed that `fields` begin.
    func begin(_ fields: HPACKHeaders, isEnd: Bool) {
        isRequestComplete = isEnd
        do throws(HeadError) {
            try HTTP2RequestHead.write(fields, hasBody: !isEnd, into: &head)
            try route()
        } catch {
            return refuse(status: error.status, error.explanation)
        }
        head = ByteBuffer()
        guard let sink else { return }
        if isRequestComplete {
            sink.receive(ByteBuffer(), isEnd: true)
        } else if !isReadingPausedBySink {
            awaitBody()
            sendContinueIfAwaited()
        }
    }

    private func route() throws(HeadError) {
        guard let router = context.router else { return reset(.refusedStream) }
        try head.withUnsafeReadableBytes { bytes throws(HeadError) in
            let found = try context.scanner.request(bytes, limits: context.configuration.headLimits)
            // Whatever ends the head early would begin a request of its own.
            guard let found, found.length == bytes.count else { throw .badField }
            isHead = found.method == .head
            mustSendContinue = found.expectsContinue && !isRequestComplete
            let view = RequestView(head: found, bytes: bytes, scanner: context.scanner)
            let sink = router.route(view, on: self)
            // A router may have answered already.
            if isOpen { self.sink = sink }
        }
    }

    /// Bytes of the body, or its end.
    func receive(_ bytes: ByteBuffer, isEnd: Bool) {
        mustSendContinue = false
        guard sink != nil else { return discard(bytes, isEnd: isEnd) }
        guard !isReadingPausedBySink, !isDelivering, held.readableBytes == 0, !heldIsEnd else {
            heldIsEnd = isEnd
            if held.readableBytes == 0 { held = bytes } else { held.writeImmutableBuffer(bytes) }
            connection.heldBytes += bytes.readableBytes
            return
        }
        deliver(bytes, isEnd: isEnd)
    }

    override func pauseReading(_ isPaused: Bool) {
        guard isPaused != isReadingPausedBySink, !isEnded, sink != nil || !isRequestComplete else { return }
        isReadingPausedBySink = isPaused
        guard !isPaused else {
            if !isRequestComplete { phaseDeadline = .distantFuture }
            return
        }
        if !isRequestComplete { awaitBody() }
        if !isDelivering { deliverHeld() }
        if !isDelivering, !isRequestComplete, !isReadingPausedBySink { sendContinueIfAwaited() }
    }

    private func deliverHeld() {
        while !isReadingPausedBySink, sink != nil, held.readableBytes > 0 || heldIsEnd {
            let bytes = held
            let isEnd = heldIsEnd
            held = ByteBuffer()
            heldIsEnd = false
            connection.heldBytes -= bytes.readableBytes
            deliver(bytes, isEnd: isEnd)
            giveBack()
            connection.giveBack()
        }
    }

    private func deliver(_ bytes: ByteBuffer, isEnd: Bool) {
        guard let sink else { return }
        if isEnd {
            isRequestComplete = true
            phaseDeadline = .distantFuture
        } else {
            awaitBody()
        }
        isDelivering = true
        sink.receive(bytes, isEnd: isEnd)
        isDelivering = false
        // What came meanwhile.
        if held.readableBytes > 0 || heldIsEnd { deliverHeld() }
    }

    /// Takes what nobody wants, for a while: a client that is still sending may not look at its answer before.
    private func discard(_ bytes: ByteBuffer, isEnd: Bool) {
        if isEnd { isRequestComplete = true }
        discarded += bytes.readableBytes
        if !isRequestComplete, discarded > context.configuration.discardedBytes { stopTaking() }
    }

    /// Lets the client send as much as was taken.
    func giveBack() {
        guard !isEnded, !isReset, !isRequestComplete else { return }
        let target = context.configuration.http2.streamWindow
        let taken = target - inboundWindow - held.readableBytes
        guard taken > 0, taken >= target / 2 else { return }
        inboundWindow += taken
        connection.send(.windowUpdate(windowSizeIncrement: taken), on: id)
        connection.flush()
    }

    private func awaitBody() {
        phaseDeadline =
            isReadingPausedBySink
            ? .distantFuture : context.sweep.deadline(after: context.configuration.bodyTimeout)
    }

    // MARK: - The end

    /// Ends what takes too long.
    override func deadlinePassed() {
        if writeDeadline <= context.sweep.now {
            // Where the connection takes nothing either, nothing would tell the client.
            if channel.isWritable { reset(.cancel) } else { connection.reset() }
        } else if isAnswerComplete {
            phaseDeadline = context.sweep.deadline(after: context.configuration.lingerTimeout)
            stopTaking()
        } else {
            refuse(status: 408, "the request did not arrive in time")
        }
    }

    /// Answers what is no proper request, or will never be a whole one.
    func refuse(status: Int, _ text: String) {
        if let sink {
            self.sink = nil
            sink.clientGone()
        }
        guard isOpen else { return }
        guard !hasAnswerBegun else { return reset(.internalError) }
        var answer = channel.allocator.buffer(capacity: 256)
        PlainAnswer.write(status: status, text: text, date: context.date, into: &answer)
        write(answer)
        finishAnswer()
    }

    /// The server is stopping.
    func drain() {
        sink?.drain()
    }

    /// Gives the stream up.
    func reset(_ code: HTTP2ErrorCode) {
        guard !isEnded, !isReset else { return }
        isReset = true
        if let sink {
            self.sink = nil
            sink.clientGone()
        }
        connection.send(.rstStream(code), on: id)
        connection.flush()
    }

    /// The stream, or its connection, is over: lets go of everything.
    ///
    /// Idempotent.
    func ended() {
        guard !isEnded else { return }
        isEnded = true
        context.sweep.remove(self)
        held = ByteBuffer()
        head = ByteBuffer()
        answerHead = ByteBuffer()
        if let sink, !isAnswerComplete || !isRequestComplete {
            self.sink = nil
            sink.clientGone()
        }
        attachment = nil
    }
}
