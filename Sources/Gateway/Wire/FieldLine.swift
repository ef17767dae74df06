// SPDX-License-Identifier: MIT

/// Where a field line stands in its head; offsets are from the first byte of the head.
public struct FieldLine: Hashable, Sendable {
    /// Which field it is.
    public let name: FieldName
    /// The first byte of the line, which is the first byte of the name.
    public let start: Int
    /// How many bytes the name has.
    public let nameLength: Int
    /// The first byte of the value, after white space.
    public let valueStart: Int
    /// The byte after the value, before white space.
    public let valueEnd: Int
    /// The byte after the line's LF.
    public let end: Int

    /// The value without the white space around it.
    public var value: Range<Int> { valueStart..<valueEnd }
    /// The name.
    public var nameRange: Range<Int> { start..<(start + nameLength) }
}
