// SPDX-License-Identifier: MIT

public import RuntimeContract
import Spawn

/// What a process driver needs to know of the machine.
public struct ProcessRuntimeConfiguration: Sendable {
    /// Bounds of an instance's log files.
    public struct LogLimits: Hashable, Sendable {
        /// The size at which a file is set aside and a new one begun, in bytes; one that was set aside is kept.
        public var fileBytes: Int

        /// Describes bounds.
        public init(fileBytes: Int = 4 << 20) {
            self.fileBytes = fileBytes
        }
    }

    /// The variables that this driver itself puts into the environment of what it starts.
    public static let ownVariables: Set<String> = [Origin.variable, LaunchMark.variable]

    /// The absolute directory for logs and sockets; made if need be, readable by this user only.
    ///
    /// At most one driver at a time may use it.
    public var stateDirectory: String
    /// The program that gives a stdio server an HTTP endpoint: started as `<path> bridge --socket <path> -- command…`.
    ///
    /// Without one, stdio servers are refused.
    public var bridgeExecutable: String?
    /// What an image's name and version stand for.
    public var catalogue: Catalogue
    /// How many instances there may be at once, of all workloads together.
    public var capacity: Int
    /// How many replicas a workload may have.
    public var maximumReplicas: Int
    /// The variables that every instance gets; see ``ChildEnvironment/inherited(from:)``.
    public var baseEnvironment: [String: String]
    /// How long to wait before an instance that ended is started again.
    public var backoff: Backoff
    /// Bounds of the log files.
    public var logLimits: LogLimits
    /// Runs instances as units of systemd; `nil` runs them as child processes.
    public var units: UnitConfiguration?

    /// Describes a machine.
    public init(
        stateDirectory: String,
        bridgeExecutable: String? = nil,
        catalogue: Catalogue = Catalogue(),
        capacity: Int = 256,
        maximumReplicas: Int = 1000,
        baseEnvironment: [String: String] = ChildEnvironment.inherited(),
        backoff: Backoff = Backoff(),
        logLimits: LogLimits = LogLimits(),
        units: UnitConfiguration? = nil
    ) {
        self.stateDirectory = stateDirectory
        self.bridgeExecutable = bridgeExecutable
        self.catalogue = catalogue
        self.capacity = capacity
        self.maximumReplicas = maximumReplicas
        self.baseEnvironment = baseEnvironment
        self.backoff = backoff
        self.logLimits = logLimits
        self.units = units
    }
}
