// SPDX-License-Identifier: MIT

/// Cuts a stream of bytes into lines, however the bytes arrive, with a bound on each line.
struct LineSplitter: Sendable {
    private let maximum: Int
    private var pending: [UInt8] = []
    private var hasPending = false

    /// Keeps at most `maximum` bytes of a line; the rest up to its break is dropped.
    init(maximum: Int) {
        self.maximum = maximum
    }

    /// Takes bytes and calls `body` with each line that is complete, without its break.
    mutating func feed(_ bytes: some RandomAccessCollection<UInt8>, _ body: (ArraySlice<UInt8>) -> Void) {
        var start = bytes.startIndex
        while start < bytes.endIndex {
            let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n"))
            let piece = bytes[start..<(end ?? bytes.endIndex)]
            pending += piece.prefix(maximum - pending.count)
            hasPending = true
            guard let end else { return }
            body(pending[...])
            pending.removeAll(keepingCapacity: true)
            hasPending = false
            start = bytes.index(after: end)
        }
    }

    /// Takes the end of the stream: what has no line break is a line as well.
    mutating func finish(_ body: (ArraySlice<UInt8>) -> Void) {
        if hasPending { body(pending[...]) }
        pending = []
        hasPending = false
    }
}
