// SPDX-License-Identifier: MIT

public import NIOCore

/// The one buffer that the connections of a loop read into, one after the other.
///
/// A connection of its own buffer would keep it while nothing comes, which is most of its life; and one buffer for all
/// stays in the processor's cache. Who is given bytes has to be done with them before the next connection reads, or to
/// keep a copy (``NIOCore/ByteBuffer/fit()``). Who keeps more than that is not given foreign bytes: the buffer is left to
/// them, and the next read gets another.
///
/// Confined to its loop. Not for connections with handlers that keep what they read, such as those of TLS and HTTP/2:
/// ``ownBuffers`` are for them.
public final class ReadBuffer {
    /// The most bytes of one read.
    static let capacity = 64 << 10

    private var free: ByteBuffer?

    /// No buffer yet.
    init() {}

    /// Buffers of a connection's own: enough for the head that opens a stream, and doubled whenever it is filled.
    public static var ownBuffers: AdaptiveRecvByteBufferAllocator {
        AdaptiveRecvByteBufferAllocator(minimum: 64, initial: 512, maximum: capacity)
    }

    /// What makes a connection of this loop read into the buffer.
    ///
    /// The connection has to read one message at a time (`maxMessagesPerRead`), and give the buffer back after each.
    public var allocator: any RecvByteBufferAllocator { Allocator(buffer: self) }

    /// The bytes that were read have been dealt with.
    ///
    /// - Parameter bytes: As the channel delivered them; bytes of another buffer are of no effect.
    @inline(__always)
    public func giveBack(_ bytes: ByteBuffer) {
        if bytes.storageCapacity == Self.capacity { free = bytes }
    }

    /// The buffer, or another one where somebody still uses it.
    fileprivate func take(_ allocator: ByteBufferAllocator) -> ByteBuffer {
        guard var buffer = free.take() else { return allocator.buffer(capacity: Self.capacity) }
        buffer.clear(minimumCapacity: Self.capacity)
        return buffer
    }

    /// Hands out the loop's buffer.
    ///
    /// A channel keeps the first buffer that it is given for as long as it lives; so that is a small one, and what has not
    /// found room in it is the second read.
    private struct Allocator: RecvByteBufferAllocator, @unchecked Sendable {
        // A channel calls its allocator on its loop only, and that is the buffer's.
        let buffer: ReadBuffer
        var hasRead = false

        func buffer(allocator: ByteBufferAllocator) -> ByteBuffer {
            hasRead ? buffer.take(allocator) : allocator.buffer(capacity: 16)
        }

        /// That the next buffer may be larger is what keeps the channel from using its first one again.
        mutating func record(actualReadBytes: Int) -> Bool {
            hasRead = true
            return true
        }
    }
}

extension ByteBuffer {
    /// Moves the bytes into a buffer of their own size if they are only a small part of the one they are in.
    ///
    /// For what is kept beyond the read it came with; otherwise a few bytes would keep a large buffer.
    @inline(__always)
    public mutating func fit() {
        if readableBytes < storageCapacity / 4 { copyToFit() }
    }

    @inline(never)
    private mutating func copyToFit() {
        guard readableBytes > 0 else {
            self = ByteBuffer()
            return
        }
        self = withUnsafeReadableBytes { ByteBuffer(bytes: $0) }
    }
}
