// SPDX-License-Identifier: MIT

/// What all servers that the gateway runs may use together; `nil` is without limit.
///
/// A wish, not a wall: what runs and is in use is never stopped for it. See ``BudgetLedger``.
public struct Budget: Hashable, Sendable {
    /// Resident memory, in bytes; what processes share counts for each of them.
    public var memoryBytes: Int64?
    /// Processes, those that servers start themselves and the bridges before servers on standard input and output among
    /// them.
    public var processes: Int?

    /// Describes a budget.
    public init(memoryBytes: Int64? = nil, processes: Int? = nil) {
        self.memoryBytes = memoryBytes
        self.processes = processes
    }

    /// Whether there is anything to keep to.
    public var isLimited: Bool { memoryBytes != nil || processes != nil }
}
