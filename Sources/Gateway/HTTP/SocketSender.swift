// SPDX-License-Identifier: MIT

internal import Glibc
public import NIOCore

/// Sends bytes straight to the socket of a channel while nothing waits in the channel to be sent.
///
/// A channel queues what is written, looks at the queue, and only then calls the kernel; for small answers that costs more
/// than all else that a proxy does for one. What the kernel does not take at once goes through the channel as ever, and
/// so does everything behind it, until that is sent: the order of bytes is kept, and back pressure is the channel's.
///
/// For use on the channel's loop. The descriptor stays the channel's: nothing may be sent after the channel was closed.
public struct SocketSender {
    private var descriptor: CInt = -1
    private var queued: Int32 = 0

    /// Sends nothing: everything goes through the channel.
    public init() {}

    /// For `channel`, as soon as that is connected; its bytes have to be those of the socket, without a handler such as
    /// that of TLS in between.
    public init(_ channel: any Channel) {
        let found = try? channel.pipeline.syncOperations.withUnsafeTransportIfAvailable(of: CInt.self) { $0 }
        descriptor = found ?? -1
    }

    /// Sends as much of `bytes` as the kernel takes at once.
    ///
    /// - Returns: the rest, which has to be written to the channel, or `nil` when there is none; it keeps no buffer that is
    ///   much larger than itself. Where the socket is broken the channel finds out when the rest is written.
    @inline(__always)
    public mutating func send(_ bytes: ByteBuffer) -> ByteBuffer? {
        var rest = bytes
        guard descriptor >= 0, queued == 0 else {
            rest.fit()
            return rest
        }
        let count = bytes.withUnsafeReadableBytes {
            Glibc.send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL | MSG_DONTWAIT))
        }
        if count == bytes.readableBytes { return nil }
        if count > 0 { rest.moveReaderIndex(forwardBy: count) }
        rest.fit()
        return rest
    }

    /// The rest was written to the channel.
    public mutating func enqueued() { queued += 1 }

    /// What was written to the channel has left, or never will.
    public mutating func dequeued() { queued -= 1 }

    /// The channel is being closed: its descriptor may soon be another's.
    public mutating func end() { descriptor = -1 }
}
