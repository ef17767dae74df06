// SPDX-License-Identifier: MIT

internal import Glibc

/// Comparisons of bytes that stand in a buffer, at the speed of memcmp(3): the generic ones of sequences ask an iterator
/// for every byte.
public enum ByteComparison {
    /// Whether `bytes` are exactly those of `text`.
    @inline(__always)
    public static func isEqual(_ bytes: UnsafeRawBufferPointer, _ text: StaticString) -> Bool {
        bytes.count == text.utf8CodeUnitCount && hasPrefix(bytes, text)
    }

    /// Whether `bytes` begin with those of `text`.
    @inline(__always)
    public static func hasPrefix(_ bytes: UnsafeRawBufferPointer, _ text: StaticString) -> Bool {
        guard bytes.count >= text.utf8CodeUnitCount, let base = bytes.baseAddress else { return false }
        return memcmp(base, text.utf8Start, text.utf8CodeUnitCount) == 0
    }

    /// Whether `bytes` and `other` are the same.
    public static func isEqual(_ bytes: UnsafeRawBufferPointer, _ other: [UInt8]) -> Bool {
        guard bytes.count == other.count else { return false }
        guard let base = bytes.baseAddress, !other.isEmpty else { return true }
        return other.withUnsafeBytes { other in
            other.baseAddress.map { memcmp(base, $0, other.count) == 0 } ?? true
        }
    }
}
