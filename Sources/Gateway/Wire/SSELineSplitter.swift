// SPDX-License-Identifier: MIT

/// Finds the lines of an event stream, which end with LF, CR or CRLF, in pieces cut anywhere.
///
/// A CR ends its line at once: waiting for a LF that may never come would hold back the event. A LF right behind it, in
/// the next piece perhaps, is the rest of the same line end.
struct SSELineSplitter: Sendable {
    /// A part of a chunk.
    struct Piece: Hashable, Sendable {
        /// Bytes of the line.
        var content: Range<Int>
        /// Bytes of its end; empty where the chunk ends before the line does.
        var end: Range<Int>
        /// Whether this is not a line, but a LF that belongs to the CR at the end of the last chunk.
        var isRestOfLineEnd = false

        /// Whether the line ends here.
        var endsLine: Bool { !end.isEmpty && !isRestOfLineEnd }
    }

    private var endedWithCarriageReturn = false

    /// The piece that begins at `index`, or `nil` at the end of `chunk`.
    @inline(__always)
    mutating func next(_ chunk: UnsafeRawBufferPointer, from index: Int) -> Piece? {
        guard index < chunk.count else { return nil }
        if endedWithCarriageReturn {
            endedWithCarriageReturn = false
            if chunk[index] == 0x0A {
                return Piece(content: index..<index, end: index..<index + 1, isRestOfLineEnd: true)
            }
        }
        let end = Self.lineEnd(chunk, from: index)
        guard end < chunk.count else { return Piece(content: index..<end, end: end..<end) }
        guard chunk[end] == 0x0D else { return Piece(content: index..<end, end: end..<end + 1) }
        guard end + 1 < chunk.count else {
            endedWithCarriageReturn = true
            return Piece(content: index..<end, end: end..<end + 1)
        }
        return Piece(content: index..<end, end: end..<(chunk[end + 1] == 0x0A ? end + 2 : end + 1))
    }

    /// Where the first CR or LF is, from `start` on; eight bytes at a time.
    ///
    /// The test for a zero byte may also mark bytes above the first one, never below it, so the lowest mark is right.
    @inline(__always)
    private static func lineEnd(_ chunk: UnsafeRawBufferPointer, from start: Int) -> Int {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let tops: UInt64 = 0x8080_8080_8080_8080
        let count = chunk.count
        var index = start
        while count - index >= 8 {
            let word = UInt64(littleEndian: chunk.loadUnaligned(fromByteOffset: index, as: UInt64.self))
            let feed = word ^ (ones &* 0x0A)
            let carriage = word ^ (ones &* 0x0D)
            let marks = ((feed &- ones) & ~feed | (carriage &- ones) & ~carriage) & tops
            if marks != 0 { return index + marks.trailingZeroBitCount / 8 }
            index += 8
        }
        while index < count, chunk[index] != 0x0A, chunk[index] != 0x0D { index += 1 }
        return index
    }
}
