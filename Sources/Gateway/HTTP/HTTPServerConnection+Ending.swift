// SPDX-License-Identifier: MIT

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
        guard isOpen else { return }
        phase = .linger
        sink = nil
        pending = ByteBuffer()
        phaseDeadline = .distantFuture
        awaitTaking()
        updateReading()
        handlerContext?.close(mode: .output, promise: nil)
    }

    /// Closes at once.
    func close() {
        guard phase != .closed else { return }
        handlerContext?.close(promise: nil)
        ended()
    }

    /// Lets go of everything.
    ///
    /// Idempotent.
    func ended() {
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

    /// The server is stopping: an idle connection is closed at once, a busy one after its answer.
    func drain() {
        guard phase == .head, pending.readableBytes == 0 else { return }
        // The last answer may still be on its way.
        if unsent > 0 { linger() } else { close() }
    }

    // MARK: - Deadlines

    /// Begins to wait for the client to take what was written.
    func awaitTaking() {
        taken = written - unsent
        writeDeadline = context.sweep.deadline(after: context.configuration.writeTimeout)
    }

    /// How many bytes wait to be sent.
    private var unsent: Int { (try? channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0 }

    /// Whether something waits for the client, of which it took some since this was last asked.
    private func isTaking() -> Bool {
        let unsent = unsent
        let takenNow = written - unsent
        defer { taken = takenNow }
        return unsent > 0 && takenNow > taken
    }

    /// Ends the present wait, which is over.
    func endWhatIsLate() {
        if writeDeadline <= context.sweep.now {
            guard isTaking() else { return close() }
            writeDeadline = context.sweep.deadline(after: context.configuration.writeTimeout)
            return
        }
        switch phase {
        case .head where isBlocked:
            // It is we who do not read.
            phaseDeadline = context.sweep.deadline(after: context.configuration.headTimeout)
        case .head where pending.readableBytes > 0, .body:
            refuse(status: 408, "the request did not arrive in time")
        case .head where isTaking():
            // Not idle: the last answer is still on its way.
            phaseDeadline = context.sweep.deadline(after: context.configuration.idleTimeout)
        case .head, .answer, .linger, .closed:
            close()
        }
    }
}
