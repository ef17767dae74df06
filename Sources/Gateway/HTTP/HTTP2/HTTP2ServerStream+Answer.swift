// SPDX-License-Identifier: MIT

internal import NIOCore
internal import NIOHPACK
internal import NIOHTTP2
internal import Wire

/// Makes frames of the bytes of an answer (see ``ClientLeg``).
extension HTTP2ServerStream {
    /// How much of a body is one piece of which it is told when it has left.
    private static let pieceBytes = 64 << 10
    /// Larger than any head that comes from a server.
    private static let headLimits = HeadLimits(bytes: 128 << 10, fields: 512)

    /// Writes bytes of the answer.
    func writeAnswer(_ bytes: ByteBuffer) {
        guard isOpen else { return }
        var bytes = bytes
        // Frames may wait for a window.
        bytes.fit()
        if answerHead.readableBytes > 0 {
            answerHead.writeBuffer(&bytes)
            bytes = answerHead
            answerHead = ByteBuffer()
        }
        do throws(HeadError) {
            while case .head = answer {
                guard try sendHead(&bytes) else {
                    answerHead = bytes
                    break
                }
            }
            try sendBody(&bytes)
        } catch {
            return reset(.internalError)
        }
        // Also where that was the end of the stream.
        connection.flush()
    }

    /// Tells the client to send its body.
    func sendContinue() {
        connection.send(.headers(.init(headers: [":status": "100"])), on: id)
        connection.flush()
    }

    /// Sends the head that begins `bytes`.
    ///
    /// - Returns: whether there was a whole one.
    private func sendHead(_ bytes: inout ByteBuffer) throws(HeadError) -> Bool {
        var payload: HTTP2Frame.FramePayload?
        var framing = BodyFraming.none
        var isInterim = false
        let length = try bytes.withUnsafeReadableBytes { bytes throws(HeadError) -> Int? in
            guard
                let found = try context.answerScanner.response(
                    bytes, answersHead: isHead, limits: Self.headLimits)
            else { return nil }
            isInterim = found.status < 200
            framing = found.framing
            payload = .headers(
                .init(
                    headers: HTTP2ResponseHead.fields(found, context.answerScanner.lines, bytes),
                    endStream: !isInterim && framing.isComplete))
            return found.length
        }
        guard let length, let payload else { return false }
        bytes.moveReaderIndex(forwardBy: length)
        if !isInterim {
            hasAnswerBegun = true
            answer = framing.isComplete ? .complete : .body(framing)
            isEndSent = framing.isComplete
        }
        connection.send(payload, on: id)
        return true
    }

    /// Sends the payload in `bytes`, and the end of the stream with the last of it.
    private func sendBody(_ bytes: inout ByteBuffer) throws(HeadError) {
        // One piece is held back until it is known whether it is the last.
        var last: ByteBuffer?
        while case .body(var framing) = answer, !isEnded {
            var offset = 0
            let piece = try bytes.withUnsafeReadableBytes { bytes throws(HeadError) in
                try framing.next(bytes, at: &offset)
            }
            answer = framing.isComplete ? .complete : .body(framing)
            switch piece {
            case .payload(let range):
                if let last { sendPayload(last, isEnd: false) }
                bytes.moveReaderIndex(forwardBy: range.lowerBound)
                last = bytes.readSlice(length: range.count)
            case .more:
                if let last { sendPayload(last, isEnd: false) }
                return
            case .end: bytes.moveReaderIndex(forwardBy: offset)
            }
        }
        if isAnswerComplete, let last { sendPayload(last, isEnd: true) } else if isAnswerComplete { sendEnd() }
    }

    private func sendPayload(_ payload: ByteBuffer, isEnd: Bool) {
        var payload = payload
        while !isEnded, let piece = payload.readSlice(length: min(payload.readableBytes, Self.pieceBytes)) {
            let isLast = payload.readableBytes == 0
            let count = piece.readableBytes
            let promise = eventLoop.makePromise(of: Void.self)
            promise.futureResult.assumeIsolated().whenSuccess { self.sent(count) }
            if unsent == 0 { awaitTaking() }
            unsent += count
            if isEnd, isLast { isEndSent = true }
            connection.send(
                .data(.init(data: .byteBuffer(piece), endStream: isEnd && isLast)), on: id, promise: promise)
            if isLast { break }
        }
        if unsent > context.configuration.writeBufferWaterMark.high { isBlocked = true }
    }

    /// Ends a stream whose head, or whose last payload, was sent before.
    private func sendEnd() {
        guard !isEnded, !isEndSent else { return }
        isEndSent = true
        connection.send(.data(.init(data: .byteBuffer(ByteBuffer()), endStream: true)), on: id)
    }

    private func awaitTaking() {
        writeDeadline = context.sweep.deadline(after: context.configuration.writeTimeout)
    }

    /// The kernel has taken `count` bytes, for which there was room in the client's window.
    private func sent(_ count: Int) {
        unsent -= count
        guard !isEnded else { return }
        if unsent == 0 { writeDeadline = .distantFuture } else { awaitTaking() }
        if isBlocked, unsent <= context.configuration.writeBufferWaterMark.low {
            isBlocked = false
            sink?.writabilityChanged()
        }
        if isAnswerComplete, unsent == 0, !isRequestComplete, sink == nil { takeRest() }
    }

    /// The answer is complete.
    func completeAnswer() {
        sink = nil
        isReadingPausedBySink = false
        guard !isEnded, !isReset else { return }
        switch answer {
        case .body(let framing) where framing.isUntilClose:
            answer = .complete
            sendEnd()
            connection.flush()
        case .complete: break
        // There is an end that was never written.
        case .head, .body: return reset(.internalError)
        }
        if !isRequestComplete, unsent == 0 { takeRest() }
    }

    /// The answer came before the request was complete: the rest is taken for a while, so that the client comes to read
    /// the answer (RFC 9113 §8.1).
    private func takeRest() {
        guard !isEnded, !isReset else { return }
        let waiting = held.readableBytes
        if heldIsEnd { isRequestComplete = true }
        held = ByteBuffer()
        connection.heldBytes -= waiting
        discarded += waiting
        phaseDeadline = context.sweep.deadline(after: context.configuration.lingerTimeout)
        guard discarded <= context.configuration.discardedBytes else { return stopTaking() }
        giveBack()
        connection.giveBack()
    }

    /// Tells the client to send no more of a request that was answered.
    func stopTaking() {
        guard isAnswerComplete, unsent == 0 else { return }
        reset(.noError)
    }
}
