// SPDX-License-Identifier: MIT

import NIOCore
import Wire

/// The chunked transfer coding, writing side (RFC 9112 §7.1).
enum ChunkCoding {
    /// What ends a body in chunks.
    static let end: StaticString = "0\r\n\r\n"

    /// `bytes` as one chunk; nothing for no bytes, because an empty chunk would end the body.
    static func chunk(_ bytes: ByteBuffer, allocator: ByteBufferAllocator) -> ByteBuffer {
        guard bytes.readableBytes > 0 else { return ByteBuffer() }
        var buffer = allocator.buffer(capacity: bytes.readableBytes + 16)
        append(bytes, to: &buffer)
        return buffer
    }

    /// Appends `bytes` as one chunk.
    static func append(_ bytes: ByteBuffer, to buffer: inout ByteBuffer) {
        guard bytes.readableBytes > 0 else { return }
        writeSize(bytes.readableBytes, to: &buffer)
        buffer.writeImmutableBuffer(bytes)
        buffer.writeStaticString("\r\n")
    }

    /// The payload of a body that was wrapped here.
    static func payload(_ bytes: ByteBuffer) -> ByteBuffer {
        var framing = BodyFraming.chunked
        var payload = ByteBuffer()
        bytes.withUnsafeReadableBytes { bytes in
            var offset = 0
            while case .payload(let range)? = try? framing.next(bytes, at: &offset) {
                payload.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[range]))
            }
        }
        return payload
    }

    private static func writeSize(_ size: Int, to buffer: inout ByteBuffer) {
        let digits: StaticString = "0123456789abcdef"
        var shift = (Int.bitWidth - size.leadingZeroBitCount - 1) / 4 * 4
        while shift >= 0 {
            buffer.writeInteger(digits.utf8Start[size >> shift & 15])
            shift -= 4
        }
        buffer.writeStaticString("\r\n")
    }
}
