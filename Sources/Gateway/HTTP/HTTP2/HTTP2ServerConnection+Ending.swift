// SPDX-License-Identifier: MIT

internal import Glibc
internal import NIOCore
internal import NIOHTTP2

extension HTTP2ServerConnection {
    /// The server is stopping: a connection without requests ends at once, another one after its answers.
    ///
    /// What the client sends meanwhile is refused, so that it may send it again elsewhere (RFC 9113 §8.7). GOAWAY, which
    /// would have it begin nothing more (§6.8), is sent when the last answer has been: widespread clients, those that are
    /// made with Python's h2 among them, drop what is under way as soon as they read it.
    func drain() {
        guard phase == .open else { return }
        stopTaking()
        for stream in Array(streams.values) { stream.drain() }
    }

    /// Takes no more streams, and ends with the last of those there are.
    func stopTaking() {
        guard phase == .open else { return }
        if streams.isEmpty { goAway() } else { phase = .draining }
    }

    /// Ends the connection, and with it what streams there are, and tells the client which requests were taken.
    func goAway(_ code: HTTP2ErrorCode = .noError) {
        guard !isOver else { return }
        send(.goAway(lastStreamID: lastStreamID, errorCode: code, opaqueData: nil), on: .rootStream)
        flush()
        linger()
    }

    /// Closes the sending side when all is sent, and the rest when the client has closed too or the linger time is over:
    /// closing at once with unread bytes could take away from the client what it was told.
    func linger() {
        guard !isOver, let handlerContext else { return }
        phase = .linger
        endStreams()
        expiry = context.sweep.deadline(after: context.configuration.lingerTimeout)
        handlerContext.close(mode: .output, promise: nil)
    }

    /// All is sent: now it is for the client to close.
    func outputClosed() {
        guard phase == .linger else { return }
        expiry = context.sweep.deadline(after: context.configuration.lingerTimeout)
    }

    /// Closes at once.
    func close() {
        guard phase != .closed else { return }
        handlerContext?.close(promise: nil)
        ended()
    }

    func abort() {
        close()
    }

    /// Closes the connection at once, and has the kernel throw away what waits there for a client that takes nothing.
    func reset() {
        _ = (channel as? any SocketOptionProvider)?.setSoLinger(Glibc.linger(l_onoff: 1, l_linger: 0))
        close()
    }

    /// Lets go of everything.
    ///
    /// Idempotent.
    func ended() {
        guard phase != .closed else { return }
        phase = .closed
        context.remove(self)
        endStreams()
    }

    private func endStreams() {
        let ending = streams
        streams = [:]
        heldBytes = 0
        for stream in ending.values { stream.ended() }
    }
}
