// SPDX-License-Identifier: MIT

internal import Glibc
internal import NIOCore
internal import Wire

extension HTTPServerConnection {
    /// Answers what is no proper request, and ends the connection.
    func refuse(_ error: HeadError) {
        refuse(status: error.status, error.explanation)
    }

    /// Ends the connection with an answer to a request that will never be whole; if an answer has begun already, there
    /// is no clean end any more.
    func refuse(status: Int, _ text: String) {
        let isTooLate = hasAnswerBegun && phase != .head
        if let sink {
            self.sink = nil
            sink.clientGone()
        }
        guard isOpen else { return }
        guard !isTooLate else { return close() }
        keepsAlive = false
        var answer = channel.allocator.buffer(capacity: 256)
        PlainAnswer.write(status: status, text: text, date: context.date, into: &answer)
        write(answer)
        linger()
    }

    /// Closes the sending side when all is sent, and the rest when the client has closed too or the linger time is over.
    ///
    /// Closing at once with unread bytes would reset the connection and could take the answer away from the client
    /// (RFC 9112 §9.6).
    func linger() {
        guard isOpen, let handlerContext else { return }
        phase = .linger
        sink = nil
        pending = ByteBuffer()
        phaseDeadline = .distantFuture
        awaitTaking()
        updateReading()
        guard isInputClosed else { return handlerContext.close(mode: .output, promise: nil) }
        guard unsent > 0 else { return close() }
        // Closing the second side of a channel closes all of it, with what is not sent yet.
        handlerContext.writeAndFlush(wrapOutboundOut(ByteBuffer())).assumeIsolated().whenComplete { _ in self.close() }
    }

    /// All is sent: now it is for the client to close.
    func outputClosed() {
        guard phase == .linger else { return }
        guard !isInputClosed else { return close() }
        phaseDeadline = context.sweep.deadline(after: context.configuration.lingerTimeout)
    }

    // MARK: - The end of what the client sends

    /// The client sends nothing more: it waits for its answers, or it has gone.
    func inputClosed() {
        guard !isInputClosed else { return }
        isInputClosed = true
        switch phase {
        case .head, .body: if !isParsing { endOfInput() }
        case .answer: findOutWhetherGone()
        case .linger, .closed: break
        }
    }

    /// Nothing will follow what was looked at: what is not whole now never will be.
    func endOfInput() {
        switch phase {
        // More requests may wait here.
        case .head where isBlocked: break
        case .head where pending.readableBytes == 0: linger()
        case .head, .body: refuse(status: 400, "the request ends before it is complete")
        case .answer, .linger, .closed: break
        }
    }

    /// A client that has gone looks like one that only closed its sending side, until something is sent to it: then its
    /// system resets the connection.
    ///
    /// An interim response is nothing that a client could mind (RFC 9110 §15.2). Where none may be sent, the kernel asks
    /// now and then: a system forgets a connection that its program has closed after a minute, and says so when asked.
    /// What was begun does not wait for that.
    private func findOutWhetherGone() {
        let options = channel.syncOptions
        try? options?.setOption(.socketOption(.so_keepalive), value: 1)
        for (option, value) in [(TCP_KEEPIDLE, 10), (TCP_KEEPINTVL, 10), (TCP_KEEPCNT, 6)] as [(CInt, Int)] {
            try? options?.setOption(.tcpOption(NIOBSDSocket.Option(rawValue: option)), value: value)
        }
        if hasAnswerBegun {
            phaseDeadline = context.sweep.deadline(after: context.configuration.halfClosedTimeout)
        } else if isHTTP11 {
            write(ByteBuffer(staticString: "HTTP/1.1 100 Continue\r\n\r\n"))
            hasAnswerBegun = false
            clearDeadline()
        }
        sink?.inputClosed()
    }

    /// Closes at once.
    func close() {
        guard phase != .closed else { return }
        sender.end()
        handlerContext?.close(promise: nil)
        ended()
    }

    /// Lets go of everything.
    ///
    /// Idempotent.
    func ended() {
        guard phase != .closed else { return }
        phase = .closed
        sender.end()
        pending = ByteBuffer()
        context.remove(self)
        if let sink {
            self.sink = nil
            sink.clientGone()
        }
        attachment = nil
    }

    /// The server is stopping: an idle connection is closed at once, a busy one after its answer.
    func drain() {
        switch phase {
        case .head where pending.readableBytes == 0:
            // The last answer may still be on its way.
            if untaken > 0 { linger() } else { close() }
        case .body, .answer: sink?.drain()
        case .head, .linger, .closed: break
        }
    }
}
