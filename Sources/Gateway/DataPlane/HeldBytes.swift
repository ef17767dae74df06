// SPDX-License-Identifier: MIT

import HTTP
import NIOCore

/// Bytes that are kept for later, or none.
///
/// None is `nil` and not an empty buffer: all empty buffers share one storage, and to count its references, twice for
/// each of them and on every core at once, is more work than a request needs.
struct HeldBytes {
    private var buffer: ByteBuffer?

    /// Holds none.
    init() {}

    /// Holds `bytes`.
    init(_ bytes: ByteBuffer) { buffer = bytes }

    /// How many bytes are held.
    var count: Int { buffer?.readableBytes ?? 0 }
    /// Whether no byte is held.
    var isEmpty: Bool { count == 0 }

    /// Holds `bytes` behind those that are held.
    mutating func append(_ bytes: ByteBuffer) {
        if isEmpty { buffer = bytes } else { buffer?.writeImmutableBuffer(bytes) }
    }

    /// Lets go of all, and returns it; `nil` for none.
    mutating func take() -> ByteBuffer? {
        let taken = buffer.take()
        return taken.map(\.readableBytes) == 0 ? nil : taken
    }

    /// Keeps no buffer that is much larger than what is held.
    @inline(__always)
    mutating func fit() { buffer?.fit() }

    /// Lets go of all.
    mutating func clear() {
        if buffer != nil { buffer = nil }
    }

    /// The bytes in place; none are an empty buffer.
    func withUnsafeReadableBytes<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
        guard let buffer else { return try body(UnsafeRawBufferPointer(start: nil, count: 0)) }
        return try buffer.withUnsafeReadableBytes(body)
    }

    /// What is held, for those who read it.
    var bytes: ByteBuffer { buffer ?? ByteBuffer() }
}
