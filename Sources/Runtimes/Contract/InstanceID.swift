// SPDX-License-Identifier: MIT

/// One replica of a workload: `mcp-example-0`.
///
/// Stable for as long as the workload has that many replicas; an instance that is replaced keeps its identifier
/// and gets a new ``Incarnation``.
public struct InstanceID: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The workload this is a replica of.
    public let workload: WorkloadID
    /// The position among the replicas, from 0.
    public let ordinal: Int

    /// Names replica `ordinal` (0 or more) of `workload`.
    public init(workload: WorkloadID, ordinal: Int) {
        precondition(ordinal >= 0, "an ordinal is never negative")
        self.workload = workload
        self.ordinal = ordinal
    }

    /// The text form.
    public var description: String { "\(workload.rawValue)-\(ordinal)" }

    /// The natural order.
    public static func < (left: InstanceID, right: InstanceID) -> Bool {
        (left.workload, left.ordinal) < (right.workload, right.ordinal)
    }
}
