// SPDX-License-Identifier: MIT

/// Which lines of the journal are wanted.
public struct JournalQuery: Hashable, Sendable {
    /// The unit.
    public var unit: String
    /// Whose unit it is.
    public var scope: ManagerScope
    /// The run of the unit (``UnitState/invocation``).
    public var invocation: String
    /// The `SyslogIdentifier` of this run and no other, if it is known: tells better which run wrote a line than what the
    /// journal finds out later.
    public var name: String?
    /// Only the last so many lines.
    public var tail: Int?
    /// Only lines since this moment, in microseconds since the epoch.
    public var since: UInt64?

    /// Describes lines.
    public init(
        unit: String, scope: ManagerScope, invocation: String, name: String? = nil, tail: Int? = nil,
        since: UInt64? = nil
    ) {
        self.unit = unit
        self.scope = scope
        self.invocation = invocation
        self.name = name
        self.tail = tail
        self.since = since
    }
}

/// One line of the journal.
public struct JournalLine: Hashable, Sendable {
    /// When the journal received it, in microseconds since the epoch.
    public var microseconds: UInt64
    /// The text, without a line break.
    public var text: [UInt8]
}
