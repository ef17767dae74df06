// SPDX-License-Identifier: MIT

internal import Glibc
internal import NIOCore

extension HTTPServerConnection {
    /// Begins to wait for the client to take what was written.
    func awaitTaking() {
        taken = written - untaken
        writeDeadline = context.sweep.deadline(after: context.configuration.writeTimeout)
    }

    /// How many bytes of answers wait here for the kernel to take them.
    var unsent: Int { (try? channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0 }

    /// How many bytes of answers the client's system has not taken: those that wait here, and those in the kernel.
    ///
    /// What waits here alone would tell of a slow client's progress only once in a megabyte or so.
    var untaken: Int {
        let queued = try? channel.pipeline.syncOperations.withUnsafeTransportIfAvailable(of: CInt.self) { descriptor in
            var count: CInt = 0
            return ioctl(descriptor, UInt(TIOCOUTQ), &count) == 0 ? Int(count) : 0
        }
        return unsent + (queued ?? 0)
    }

    /// Ends the present wait, which is over.
    func endWhatIsLate() {
        if writeDeadline <= context.sweep.now { return checkTaking() }
        switch phase {
        case .head where isBlocked:
            // It is we who do not read.
            phaseDeadline = context.sweep.deadline(after: context.configuration.headTimeout)
        case .head where pending.readableBytes > 0, .body:
            refuse(status: 408, "the request did not arrive in time")
        case .head where untaken > 0:
            // Not idle: the last answer is still on its way.
            stayForAnswer(context.configuration.idleTimeout)
        case .answer where untaken > 0: stayForAnswer(context.configuration.halfClosedTimeout)
        case .linger where untaken > 0: stayForAnswer(context.configuration.lingerTimeout)
        case .head, .answer, .linger, .closed: close()
        }
    }

    /// Waits for `amount` more, and closes when the client takes nothing for too long.
    private func stayForAnswer(_ amount: TimeAmount) {
        phaseDeadline = context.sweep.deadline(after: amount)
        if writeDeadline == .distantFuture { awaitTaking() }
    }

    /// Closes the connection at once, and has the kernel throw away what waits there; otherwise that would stay for as
    /// long as the client is silent.
    private func reset() {
        _ = (channel as? any SocketOptionProvider)?.setSoLinger(Glibc.linger(l_onoff: 1, l_linger: 0))
        close()
    }

    /// Closes the connection of a client that has taken nothing of what waits for it since this was last asked.
    private func checkTaking() {
        let untaken = untaken
        let takenNow = written - untaken
        if untaken == 0, !isBlocked {
            writeDeadline = .distantFuture
        } else if takenNow > taken {
            writeDeadline = context.sweep.deadline(after: context.configuration.writeTimeout)
        } else {
            reset()
        }
        taken = takenNow
    }
}
