// SPDX-License-Identifier: MIT

import Glibc
import NIOCore

/// Pieces of heads, each written in one step: for pieces this small, the steps are what costs.
extension ByteBuffer {
    /// Writes a field line: `name`, which ends with the colon and a space, `value`, and CRLF.
    @inline(__always)
    mutating func writeLine(_ name: StaticString, _ value: [UInt8]) {
        let nameCount = name.utf8CodeUnitCount
        value.withUnsafeBytes { value in
            writeSpan(nameCount + value.count + 2) { target in
                memcpy(target, name.utf8Start, nameCount)
                if let source = value.baseAddress { memcpy(target + nameCount, source, value.count) }
                Self.endLine(target + nameCount + value.count)
            }
        }
    }

    /// Writes a field line with a number.
    @inline(__always)
    mutating func writeLine(_ name: StaticString, _ number: UInt64) {
        var digitCount = 0
        var scale = number
        repeat {
            digitCount += 1
            scale /= 10
        } while scale > 0
        let count = digitCount
        let nameCount = name.utf8CodeUnitCount
        writeSpan(nameCount + count + 2) { target in
            memcpy(target, name.utf8Start, nameCount)
            var rest = number
            var at = nameCount + count
            while at > nameCount {
                at -= 1
                target.storeBytes(
                    of: UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10), toByteOffset: at, as: UInt8.self)
                rest /= 10
            }
            Self.endLine(target + nameCount + count)
        }
    }

    /// Writes what is readable in `other`, a few KiB at most.
    @inline(__always)
    mutating func writeCopy(of other: ByteBuffer) {
        other.withUnsafeReadableBytes { source in
            guard let base = source.baseAddress else { return }
            writeSpan(source.count) { memcpy($0, base, source.count) }
        }
    }

    /// Has `fill` write `count` bytes.
    @inline(__always)
    private mutating func writeSpan(_ count: Int, _ fill: (UnsafeMutableRawPointer) -> Void) {
        writeWithUnsafeMutableBytes(minimumWritableBytes: count) { target in
            guard let base = target.baseAddress, target.count >= count else { return 0 }
            fill(base)
            return count
        }
    }

    @inline(__always)
    private static func endLine(_ end: UnsafeMutableRawPointer) {
        end.storeBytes(of: 0x0D, as: UInt8.self)
        end.storeBytes(of: 0x0A, toByteOffset: 1, as: UInt8.self)
    }
}
