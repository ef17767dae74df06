// SPDX-License-Identifier: MIT

/// How local processes are run.
public struct ProcessRuntimeConfiguration: Sendable {
    /// The directory for logs and sockets; absolute, exists, and only this gateway uses it.
    public var stateDirectory: String
    /// The program that is run as `… bridge --socket PATH -- COMMAND` for servers that speak on standard input and output.
    public var bridgeExecutable: String
    /// Which images there are.
    public var catalogue: Catalogue
    /// How many instances there may be, all workloads together.
    public var capacity: Int
    /// What every server finds in its environment; those of its image and of its workload are added.
    public var baseEnvironment: [String: String]
    /// How long to wait before an instance that ended is started again.
    public var backoff: RestartBackoff
    /// How large one log file may grow, in bytes; an instance has at most four of them.
    public var logFileBytes: Int

    /// A configuration with the defaults that suit a laptop.
    public init(
        stateDirectory: String,
        bridgeExecutable: String,
        catalogue: Catalogue = Catalogue(),
        capacity: Int = 256,
        baseEnvironment: [String: String] = [:],
        backoff: RestartBackoff = RestartBackoff(),
        logFileBytes: Int = 8 << 20
    ) {
        self.stateDirectory = stateDirectory
        self.bridgeExecutable = bridgeExecutable
        self.catalogue = catalogue
        self.capacity = capacity
        self.baseEnvironment = baseEnvironment
        self.backoff = backoff
        self.logFileBytes = logFileBytes
    }
}
