// SPDX-License-Identifier: MIT

internal import NIOCore
internal import NIOHTTP2
internal import NIOTLS

/// Connections that turn out to be ones of HTTP/2: by what was agreed upon with TLS (RFC 9113 §3.2), or by their first
/// bytes, where the client knew before (§3.3).
///
/// Neither is looked for where HTTP/1.1 is spoken: the first bytes of HTTP/2 were chosen so that no server of HTTP/1.1
/// takes them for a request, so they are looked at when they have been refused.
extension HTTPServerConnection {
    private static let preface: StaticString = "PRI * HTTP/2.0\r\n\r\n"

    /// Whether what was read begins as every connection of HTTP/2 does.
    var beginsHTTP2: Bool {
        // Not after a request of HTTP/1.1.
        guard written == 0, context.configuration.http2.isServed else { return false }
        return pending.readableBytesView.starts(with: UnsafeBufferPointer(start: Self.preface.utf8Start, count: 18))
    }

    /// Whether `event` tells that client and server have agreed upon HTTP/2.
    func isHTTP2(_ event: Any) -> Bool {
        if case .handshakeCompleted(negotiatedProtocol: "h2") = event as? TLSUserEvent { true } else { false }
    }

    /// Hands the channel, and what was read, to one who speaks HTTP/2.
    func becomeHTTP2() {
        guard let handlerContext, phase != .closed else { return }
        let read = pending
        _ = try? channel.syncOptions?.setOption(.recvAllocator, value: ReadBuffer.ownBuffers)
        let pipeline = channel.pipeline.syncOperations
        let connection = HTTP2ServerConnection(context: context, channel: channel)
        // First of all: a loop without connections would count as drained.
        context.add(connection)
        ended()
        do {
            let frames = HTTP2ServerConnection.frames(context.configuration, observer: connection)
            // One after the other: the second writes frames as soon as it is added.
            try pipeline.addHandler(frames, position: .after(self))
            try pipeline.addHandler(connection, position: .after(frames))
        } catch {
            context.remove(connection)
            handlerContext.close(promise: nil)
            return
        }
        if read.readableBytes > 0 { handlerContext.fireChannelRead(NIOAny(read)) }
        pipeline.removeHandler(self, promise: nil)
    }
}
