// SPDX-License-Identifier: MIT

/// What a driver can do.
///
/// Constant for the life of the driver.
public struct RuntimeCapabilities: Hashable, Sendable {
    /// Kinds of sources.
    public enum SourceKind: String, Hashable, Sendable, CaseIterable {
        /// ``WorkloadSource/image(name:version:)``.
        case image
        /// ``WorkloadSource/command(_:)``.
        case command
        /// ``WorkloadSource/remote(_:)``.
        case remote
    }

    /// Limits of ``ResourceLimits``.
    public enum Limit: String, Hashable, Sendable, CaseIterable {
        /// ``ResourceLimits/memoryBytes``.
        case memory
        /// ``ResourceLimits/cpuMillicores``.
        case cpu
        /// ``ResourceLimits/tasks``.
        case tasks
        /// ``ResourceLimits/openFiles``.
        case openFiles
    }

    /// A short word for people and log lines: `process`, `kubernetes`, `memory`.
    public var name: String
    /// Whether instances go on when the driver ends, to be adopted by the next `recover`.
    ///
    /// There is no third way: if `false`, all of them end with the driver.
    public var survivesGatewayRestart: Bool
    /// The most replicas a workload may have.
    public var maximumReplicas: Int
    /// The sources it can run.
    public var sources: Set<SourceKind>
    /// The limits that are really enforced.
    public var enforceableLimits: Set<Limit>
    /// Whether the log of an instance's previous incarnation can be read.
    public var keepsPreviousLogs: Bool
    /// Whether workloads can have an identity of the platform.
    public var supportsWorkloadIdentity: Bool
    /// Whether instances can be parked and woken (``RuntimeDriver/park(_:incarnation:)``).
    public var parking: Bool
    /// Whether the instances of a new generation run beside the old ones until all of them are ready; otherwise they are
    /// replaced one at a time, the highest ordinal first.
    public var rollsOutBeside: Bool

    /// Describes a driver.
    public init(
        name: String,
        survivesGatewayRestart: Bool,
        maximumReplicas: Int,
        sources: Set<SourceKind>,
        enforceableLimits: Set<Limit>,
        keepsPreviousLogs: Bool,
        supportsWorkloadIdentity: Bool,
        parking: Bool = false,
        rollsOutBeside: Bool = false
    ) {
        self.name = name
        self.survivesGatewayRestart = survivesGatewayRestart
        self.maximumReplicas = maximumReplicas
        self.sources = sources
        self.enforceableLimits = enforceableLimits
        self.keepsPreviousLogs = keepsPreviousLogs
        self.supportsWorkloadIdentity = supportsWorkloadIdentity
        self.parking = parking
        self.rollsOutBeside = rollsOutBeside
    }
}
