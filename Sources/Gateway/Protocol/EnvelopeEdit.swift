// SPDX-License-Identifier: MIT

/// A replacement of some bytes of a message; everything else stays byte for byte.
public struct EnvelopeEdit: Hashable, Sendable {
    /// The bytes that are replaced, counted from the start of the message.
    public let range: Range<Int>
    /// The JSON text that takes their place.
    public let replacement: [UInt8]

    /// Puts `replacement` in the place of `range`.
    public init(_ range: Range<Int>, _ replacement: [UInt8]) {
        self.range = range
        self.replacement = replacement
    }

    /// The message with all of `edits` made.
    ///
    /// They must lie inside of `message` and must not overlap; their order does not matter.
    public static func apply(_ edits: [EnvelopeEdit], to message: ArraySlice<UInt8>) -> [UInt8] {
        let ordered = edits.sorted { $0.range.lowerBound < $1.range.lowerBound }
        var result: [UInt8] = []
        result.reserveCapacity(message.count + edits.reduce(0) { $0 + $1.replacement.count - $1.range.count })
        var position = message.startIndex
        for edit in ordered {
            let start = message.startIndex + edit.range.lowerBound
            precondition(start >= position, "edits must not overlap")
            result += message[position..<start]
            result += edit.replacement
            position = message.startIndex + edit.range.upperBound
        }
        result += message[position...]
        return result
    }

    /// The message with all of `edits` made.
    public static func apply(_ edits: [EnvelopeEdit], to message: [UInt8]) -> [UInt8] {
        apply(edits, to: message[...])
    }
}
