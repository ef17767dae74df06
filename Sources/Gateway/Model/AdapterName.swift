// SPDX-License-Identifier: MIT

public import RuntimeContract

/// The name of an adapter: an RFC 1035 label of at most 50 characters that is not reserved.
public struct AdapterName: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// Labels that can't be names, because a route of the gateway or a client would mistake them for something else.
    public static let reserved: Set<String> = [
        "adapters", "healthz", "metrics", "readyz", "well-known", "openapi", "mcp-gateway", "kubernetes",
    ]

    /// The workload of the same name.
    public let workload: WorkloadID

    /// The label itself.
    public var rawValue: String { workload.rawValue }

    /// Creates a name, or `nil` when `rawValue` is not a label or is reserved.
    public init?(_ rawValue: String) {
        guard !Self.reserved.contains(rawValue), let workload = WorkloadID(rawValue) else { return nil }
        self.workload = workload
    }

    /// The text form.
    public var description: String { rawValue }

    /// The natural order.
    public static func < (left: AdapterName, right: AdapterName) -> Bool { left.workload < right.workload }
}
