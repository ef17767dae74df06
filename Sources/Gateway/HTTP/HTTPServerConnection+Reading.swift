// SPDX-License-Identifier: MIT

internal import NIOCore
internal import Wire

extension HTTPServerConnection {
    /// Looks at what was read, as far as it can be looked at now.
    func parse() {
        isParsing = true
        var goesOn = true
        while goesOn {
            goesOn =
                switch phase {
                case .head: !isBlocked && parseHead()
                case .body: parseBody()
                case .answer, .linger, .closed: false
                }
        }
        isParsing = false
        // A quiet connection, and one with a long stream, holds no buffer.
        if pending.readableBytes == 0 { pending = ByteBuffer() }
        if isInputClosed { endOfInput() }
        updateReading()
    }

    /// - Returns: whether there may be more to do at once.
    private func parseHead() -> Bool {
        // RFC 9112 §2.2: an empty line before a request line is skipped.
        while pending.readableBytes >= 2, pending.getInteger(at: pending.readerIndex, as: UInt16.self) == 0x0D0A {
            pending.moveReaderIndex(forwardBy: 2)
        }
        // Half of an empty line does not begin a request.
        let isHalfLine = pending.readableBytes == 1 && pending.getInteger(at: pending.readerIndex) == UInt8(ascii: "\r")
        guard pending.readableBytes > 0, !isHalfLine else { return false }
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
                if searched == 0 {
                    phaseDeadline = context.sweep.deadline(after: context.configuration.headTimeout)
                }
                searched = pending.readableBytes
                return false
            }
            searched = 0
            // What the answer has ended keeps no bytes.
            guard isOpen else { return false }
            pending.moveReaderIndex(forwardBy: length)
            if phase == .answer, let sink { sink.receive(ByteBuffer(), isEnd: true) }
            return true
        } catch {
            // No request of HTTP/1.1 looks like the beginning of HTTP/2.
            if beginsHTTP2 { becomeHTTP2() } else { refuse(error) }
            return false
        }
    }

    /// Has the request routed whose head begins `bytes`.
    private func begin(_ head: RequestHead, _ bytes: UnsafeRawBufferPointer) {
        guard let router = context.router else { return close() }
        keepsAlive = head.keepsAlive
        isHTTP11 = head.isHTTP11
        framing = head.framing
        mustSendContinue = head.expectsContinue
        hasAnswerBegun = false
        isDiscarding = false
        phase = framing.isComplete ? .answer : .body
        phaseDeadline =
            framing.isComplete
            ? .distantFuture : context.sweep.deadline(after: context.configuration.bodyTimeout)
        let view = RequestView(
            head: head, bytes: UnsafeRawBufferPointer(rebasing: bytes[..<head.length]), scanner: context.scanner)
        let sink = router.route(view, on: self)
        // A router may have answered already, and the answer may have ended the connection.
        if phase == .answer || phase == .body, !isDiscarding { self.sink = sink }
    }

    /// - Returns: whether there may be more to do at once.
    private func parseBody() -> Bool {
        guard let sink else { return isDiscarding && parseDiscarded() }
        guard pending.readableBytes > 0 else {
            // The client may be waiting for us; what came with the head was not all.
            if mustSendContinue, !isReadingPausedBySink { sendContinueIfAwaited() }
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
                case .more:
                    // Nothing but parts of chunks' heads.
                    pending = ByteBuffer()
                    return false
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

    /// Whether the rest of the present body may be taken after the answer: it is known how much it is, and little.
    ///
    /// A client that waits for `100 Continue` may never send it (RFC 9110 §10.1.1).
    var takesRest: Bool {
        guard !mustSendContinue, !isInputClosed, let length = framing.remainingLength else { return false }
        return length <= UInt64(context.configuration.discardedBytes)
    }

    /// The request was answered before all of it was here: the rest is taken, so that the connection goes on
    /// (RFC 9110 §7.5).
    func discardRest() {
        isDiscarding = true
        phaseDeadline = context.sweep.deadline(after: context.configuration.bodyTimeout)
        if !isParsing { parse() }
    }

    /// - Returns: whether there may be more to do at once.
    private func parseDiscarded() -> Bool {
        guard pending.readableBytes > 0 else { return false }
        guard let count = try? pending.withUnsafeReadableBytes({ try framing.take($0) }) else {
            close()
            return false
        }
        pending.moveReaderIndex(forwardBy: count)
        guard framing.isComplete else {
            phaseDeadline = context.sweep.deadline(after: context.configuration.bodyTimeout)
            return true
        }
        isDiscarding = false
        if context.isDraining {
            linger()
            return false
        }
        phase = .head
        phaseDeadline = context.sweep.deadline(after: context.configuration.idleTimeout)
        return true
    }

    private func deliver(_ bytes: ByteBuffer, to sink: any RequestSink) {
        let isEnd = framing.isComplete
        if isEnd {
            phase = .answer
            phaseDeadline = .distantFuture
        } else if !isReadingPausedBySink {
            phaseDeadline = context.sweep.deadline(after: context.configuration.bodyTimeout)
        }
        sink.receive(bytes, isEnd: isEnd)
    }

    /// Reads or does not read, as it is needed now.
    func updateReading() {
        let wanted: Bool =
            switch phase {
            case .linger: true
            case .body: !isReadingPausedBySink
            // One read of pipelined bytes may wait; reading on is what notices that the client is gone.
            case .head: !isBlocked || pending.readableBytes == 0
            case .answer: pending.readableBytes == 0
            case .closed: false
            }
        guard wanted != isReading, phase != .closed else { return }
        isReading = wanted
        _ = try? channel.syncOptions?.setOption(.autoRead, value: wanted)
    }
}
