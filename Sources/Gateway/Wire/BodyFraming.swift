// SPDX-License-Identifier: MIT

/// Tells where the body of a message ends, however its bytes arrive (RFC 9112 §6 and §7).
///
/// ``next(_:at:)`` walks over bytes and names the payload in them, so the same machine serves those who pass the bytes
/// on as they are and those who want the payload only.
public struct BodyFraming: Hashable, Sendable {
    /// The most bytes that chunk extensions and trailers may have together.
    public static let maximumOverhead = 16 << 10

    /// What the next bytes are.
    public enum Piece: Hashable, Sendable {
        /// Payload at these offsets.
        case payload(Range<Int>)
        /// All bytes are used up and the body goes on.
        case more
        /// The body ends before the offset reached.
        case end
    }

    private enum State: Hashable {
        case fixed
        case untilClose
        case size(digits: UInt8)
        case sizeExtension
        case sizeLineFeed
        case data
        case dataReturn
        case dataLineFeed
        case trailerStart
        case trailerName
        case trailer
        case trailerLineFeed
        case lastLineFeed
        case ended
    }

    private var state: State
    private var remaining: UInt64
    private var overhead = 0

    private init(_ state: State, _ remaining: UInt64 = 0) {
        self.state = state
        self.remaining = remaining
    }

    /// No body.
    public static let none = BodyFraming(.ended)
    /// A body in chunks.
    public static let chunked = BodyFraming(.size(digits: 0))
    /// A body that ends with the connection; only responses have it.
    public static let untilClose = BodyFraming(.untilClose)

    /// A body of `length` bytes.
    public static func length(_ length: UInt64) -> BodyFraming {
        length == 0 ? none : BodyFraming(.fixed, length)
    }

    /// Whether the body has ended.
    public var isComplete: Bool { state == .ended }
    /// Whether the body ends with the connection.
    public var isUntilClose: Bool { state == .untilClose }
    /// The length that was announced and is still to come, if one was announced.
    public var remainingLength: UInt64? {
        switch state {
        case .fixed: remaining
        case .ended: 0
        default: nil
        }
    }
    /// Whether the body is in chunks.
    public var isChunked: Bool {
        switch state {
        case .fixed, .untilClose, .ended: false
        default: true
        }
    }

    /// How many of `bytes` belong to the body; check ``isComplete`` afterwards.
    ///
    /// - Throws: `badChunk`.
    @inline(__always)
    public mutating func take(_ bytes: UnsafeRawBufferPointer) throws(HeadError) -> Int {
        switch state {
        case .fixed:
            let count = Int(min(remaining, UInt64(bytes.count)))
            remaining -= UInt64(count)
            if remaining == 0 { state = .ended }
            return count
        case .untilClose: return bytes.count
        case .ended: return 0
        default:
            var offset = 0
            while case .payload = try next(bytes, at: &offset) {}
            return offset
        }
    }

    /// Walks on from `offset`, to the end of the next piece of payload, of the body, or of `bytes`.
    ///
    /// - Throws: `badChunk`.
    public mutating func next(_ bytes: UnsafeRawBufferPointer, at offset: inout Int) throws(HeadError) -> Piece {
        while true {
            switch state {
            case .ended: return .end
            case .untilClose:
                guard offset < bytes.count else { return .more }
                let start = offset
                offset = bytes.count
                return .payload(start..<offset)
            case .fixed, .data:
                guard offset < bytes.count else { return .more }
                let start = offset
                let count = Int(min(remaining, UInt64(bytes.count - offset)))
                offset += count
                remaining -= UInt64(count)
                if remaining == 0 { state = state == .fixed ? .ended : .dataReturn }
                return .payload(start..<offset)
            default:
                guard offset < bytes.count else { return .more }
                try advance(bytes[offset])
                offset += 1
            }
        }
    }

    /// One byte of what is not payload.
    private mutating func advance(_ byte: UInt8) throws(HeadError) {
        switch state {
        case .size(let digits):
            if let digit = Self.hexadecimal(byte) {
                // 15 digits are 2^60 bytes: more than any body, and far from an overflow.
                guard digits < 15 else { throw .badChunk }
                remaining = remaining << 4 | UInt64(digit)
                state = .size(digits: digits + 1)
            } else if digits > 0, byte == UInt8(ascii: "\r") {
                state = .sizeLineFeed
            } else if digits > 0, byte == UInt8(ascii: ";") || byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") {
                state = .sizeExtension
            } else {
                throw .badChunk
            }
        case .sizeExtension:
            try countOverhead()
            if byte == UInt8(ascii: "\r") {
                state = .sizeLineFeed
            } else if Self.isControl(byte) {
                throw .badChunk
            }
        case .sizeLineFeed:
            try expect(byte, "\n")
            state = remaining == 0 ? .trailerStart : .data
        case .dataReturn:
            try expect(byte, "\r")
            state = .dataLineFeed
        case .dataLineFeed:
            try expect(byte, "\n")
            state = .size(digits: 0)
        case .trailerStart:
            try countOverhead()
            if byte == UInt8(ascii: "\r") {
                state = .lastLineFeed
            } else if CharacterClass.token.contains(byte) {
                state = .trailerName
            } else {
                throw .badChunk
            }
        case .trailerName:
            try countOverhead()
            if byte == UInt8(ascii: ":") {
                state = .trailer
            } else if !CharacterClass.token.contains(byte) {
                throw .badChunk
            }
        case .trailer:
            try countOverhead()
            if byte == UInt8(ascii: "\r") {
                state = .trailerLineFeed
            } else if Self.isControl(byte) {
                throw .badChunk
            }
        case .trailerLineFeed:
            try expect(byte, "\n")
            state = .trailerStart
        case .lastLineFeed:
            try expect(byte, "\n")
            state = .ended
        case .fixed, .untilClose, .data, .ended:
            preconditionFailure("these states are handled where payload is")
        }
    }

    private mutating func countOverhead() throws(HeadError) {
        overhead += 1
        guard overhead <= Self.maximumOverhead else { throw .badChunk }
    }

    private func expect(_ byte: UInt8, _ wanted: Unicode.Scalar) throws(HeadError) {
        guard byte == UInt8(ascii: wanted) else { throw .badChunk }
    }

    private static func isControl(_ byte: UInt8) -> Bool {
        (byte < 0x20 && byte != UInt8(ascii: "\t")) || byte == 0x7F
    }

    private static func hexadecimal(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
