// SPDX-License-Identifier: MIT

/// Watches an event stream that passes by, and knows where events end and whether the client could resume it.
///
/// Copies nothing and has no limits, so it may watch any stream at the cost of one look at each byte.
public struct SSEProgress: Sendable {
    /// How many events have ended that had a field at all.
    public private(set) var eventCount = 0
    /// The first bytes of the line so far, the first lowest: enough to know `id:` and a byte of its value.
    private var lineStart: UInt64 = 0
    /// Whether one of them had a non-empty id: a client that loses the stream then can ask for the rest.
    public private(set) var hasEventID = false
    /// Whether no event has begun that did not end: what follows now begins an event of its own.
    public private(set) var isBetweenEvents = true

    /// How many bytes of the line ``lineStart`` holds.
    private var lineLength: UInt8 = 0
    private var splitter = SSELineSplitter()
    private var isFirstLine = true
    private var eventHasID = false
    private var eventHasField = false

    /// At the start of a stream.
    public init() {}

    /// Looks at the next piece of the stream.
    ///
    /// Returns how many of its bytes belong to events that have ended; the rest, if there is any, is the beginning of
    /// one that has not.
    @discardableResult
    public mutating func consume(_ chunk: UnsafeRawBufferPointer) -> Int {
        var index = 0
        var boundary = 0
        while let piece = splitter.next(chunk, from: index) {
            index = piece.end.upperBound
            if !piece.isRestOfLineEnd {
                for position in piece.content.prefix(8 - Int(lineLength)) {
                    lineStart |= UInt64(chunk[position]) << UInt64(8 * lineLength)
                    lineLength += 1
                }
                if lineLength > 0 { isBetweenEvents = false }
                if piece.endsLine { endLine() }
            }
            if isBetweenEvents { boundary = index }
        }
        return boundary
    }

    private mutating func endLine() {
        defer {
            lineStart = 0
            lineLength = 0
            isFirstLine = false
            isBetweenEvents = !eventHasField
        }
        if isFirstLine, lineStart & 0xFF_FFFF == 0xBF_BBEF {
            // A byte order mark is no part of the first line.
            lineStart >>= 24
            lineLength -= 3
        }
        if lineLength == 0 {
            if eventHasField { eventCount += 1 }
            if eventHasID { hasEventID = true }
            eventHasField = false
            eventHasID = false
            return
        }
        // A comment.
        if lineStart & 0xFF == 0x3A { return }
        eventHasField = true
        // "id:", perhaps a space, and at least one byte of value.
        guard lineStart & 0xFF_FFFF == 0x3A_6469 else { return }
        if lineLength > (lineStart >> 24 & 0xFF == 0x20 ? 4 : 3) { eventHasID = true }
    }
}
