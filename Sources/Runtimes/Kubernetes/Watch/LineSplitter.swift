// SPDX-License-Identifier: MIT

/// Cuts a stream of bytes into lines, however the bytes are split.
struct LineSplitter: Sendable {
    /// What becomes of a line that is too long.
    enum Excess: Sendable {
        /// Its end is dropped.
        case cut
        /// ``hasOverflowed`` is set.
        case fail
    }

    private let maximumBytes: Int
    private let excess: Excess
    private var partial: [UInt8] = []
    private(set) var hasOverflowed = false

    init(maximumBytes: Int, excess: Excess) {
        self.maximumBytes = maximumBytes
        self.excess = excess
    }

    /// The lines that `bytes` complete, without their line breaks.
    mutating func append(_ bytes: [UInt8]) -> [[UInt8]] {
        var lines: [[UInt8]] = []
        var rest = bytes[...]
        while let end = rest.firstIndex(of: 10) {
            keep(rest[..<end])
            lines.append(partial)
            partial = []
            rest = rest[(end + 1)...]
        }
        keep(rest)
        return lines
    }

    /// What stands after the last line break, if anything.
    mutating func finish() -> [UInt8]? {
        defer { partial = [] }
        return partial.isEmpty ? nil : partial
    }

    private mutating func keep(_ bytes: ArraySlice<UInt8>) {
        let room = maximumBytes - partial.count
        partial.append(contentsOf: bytes.prefix(room))
        if bytes.count > room, case .fail = excess { hasOverflowed = true }
    }
}
