// SPDX-License-Identifier: MIT

/// Where a field line stands in its head; offsets are from the first byte of the head.
public struct FieldLine: Hashable, Sendable {
    /// Which field it is.
    public let name: FieldName
    // Heads are far smaller than 4 GiB; half the size is half the memory to go through.
    private let startOffset: UInt32
    private let nameCount: UInt32
    private let valueStartOffset: UInt32
    private let valueEndOffset: UInt32
    private let endOffset: UInt32

    @inline(__always)
    init(name: FieldName, start: Int, nameLength: Int, valueStart: Int, valueEnd: Int, end: Int) {
        self.name = name
        startOffset = UInt32(truncatingIfNeeded: start)
        nameCount = UInt32(truncatingIfNeeded: nameLength)
        valueStartOffset = UInt32(truncatingIfNeeded: valueStart)
        valueEndOffset = UInt32(truncatingIfNeeded: valueEnd)
        endOffset = UInt32(truncatingIfNeeded: end)
    }

    /// The first byte of the line, which is the first byte of the name.
    public var start: Int { Int(startOffset) }
    /// How many bytes the name has.
    public var nameLength: Int { Int(nameCount) }
    /// The first byte of the value, after white space.
    public var valueStart: Int { Int(valueStartOffset) }
    /// The byte after the value, before white space.
    public var valueEnd: Int { Int(valueEndOffset) }
    /// The byte after the line's LF.
    public var end: Int { Int(endOffset) }

    /// The value without the white space around it.
    public var value: Range<Int> { valueStart..<valueEnd }
    /// The name.
    public var nameRange: Range<Int> { start..<(start + nameLength) }
}
