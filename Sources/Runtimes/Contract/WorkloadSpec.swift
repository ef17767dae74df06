// SPDX-License-Identifier: MIT

/// The desired state of a workload: everything a driver needs, and nothing that only one driver understands.
///
/// Start, stop, scale and restart are changes of this value. Two specs that differ only in ``generation`` describe
/// the same workload: applying the second one changes nothing that runs.
public struct WorkloadSpec: Hashable, Sendable {
    /// The workload's name.
    public var id: WorkloadID
    /// Grows with every change of the desired state; 1 or more.
    ///
    /// A driver refuses to go back (`superseded`).
    public var generation: Int64
    /// What is run.
    public var source: WorkloadSource
    /// Variables of the environment, by name.
    ///
    /// Names match `[A-Za-z_][A-Za-z0-9_]*`.
    public var environment: [String: String]
    /// Like ``environment``, but the values never appear in a description, a log, an error or a status.
    public var secretEnvironment: [String: Secret]
    /// How many instances; 0 means stopped.
    public var replicas: Int
    /// How the server speaks.
    public var transport: Transport
    /// The port on which an HTTP server listens inside its own host or pod; `nil` lets the driver choose one.
    public var port: UInt16?
    /// The path that readiness is probed at and requests are sent to; starts with `/`.
    public var path: String
    /// When an instance counts as ready.
    public var readiness: ReadinessProbe
    /// What an instance may use at most.
    public var limits: ResourceLimits
    /// How long an instance may go on after it was asked to stop, before it is killed.
    public var gracePeriod: Duration
    /// How long an instance that is on its way out and has sessions goes on before it is asked to stop.
    ///
    /// Holds for roll-outs and scaling in, not for removals. Zero asks at once. See
    /// ``RuntimeDriver/release(_:incarnation:)``.
    public var drainTime: Duration
    /// Whether instances run under the platform's workload identity.
    public var usesWorkloadIdentity: Bool
    /// Any change of this number replaces every instance.
    public var restartToken: Int64
    /// Free key-value pairs for people and selectors.
    public var labels: [String: String]

    /// Describes a workload; what is not given has the default that suits most servers.
    public init(
        id: WorkloadID,
        generation: Int64,
        source: WorkloadSource,
        environment: [String: String] = [:],
        secretEnvironment: [String: Secret] = [:],
        replicas: Int = 1,
        transport: Transport = .streamableHTTP,
        port: UInt16? = nil,
        path: String = "/mcp",
        readiness: ReadinessProbe = ReadinessProbe(),
        limits: ResourceLimits = ResourceLimits(),
        gracePeriod: Duration = .seconds(5),
        drainTime: Duration = .seconds(300),
        usesWorkloadIdentity: Bool = false,
        restartToken: Int64 = 0,
        labels: [String: String] = [:]
    ) {
        self.id = id
        self.generation = generation
        self.source = source
        self.environment = environment
        self.secretEnvironment = secretEnvironment
        self.replicas = replicas
        self.transport = transport
        self.port = port
        self.path = path
        self.readiness = readiness
        self.limits = limits
        self.gracePeriod = gracePeriod
        self.drainTime = drainTime
        self.usesWorkloadIdentity = usesWorkloadIdentity
        self.restartToken = restartToken
        self.labels = labels
    }

    /// Whether an instance made for `other` can go on unchanged under this spec: all but the generation, the
    /// number of replicas, the times it has for its end and the labels is the same.
    public func runsLike(_ other: WorkloadSpec) -> Bool {
        var twin = other
        twin.generation = generation
        twin.replicas = replicas
        twin.gracePeriod = gracePeriod
        twin.drainTime = drainTime
        twin.labels = labels
        return twin == self
    }
}

/// What a workload runs.
public enum WorkloadSource: Hashable, Sendable {
    /// A named, versioned image. Each driver resolves it in its own way: a registry, or a catalogue of local commands.
    ///
    /// With a command, that is run in the image in place of what the image says.
    case image(name: String, version: String, command: Command? = nil)
    /// A command with its arguments, run as it is and never through a shell.
    case command(Command)
    /// Servers that somebody else runs, one for each instance: nothing is started.
    case remote([RemoteEndpoint])
}

/// A program to run, without a shell in between.
public struct Command: Hashable, Sendable {
    /// An absolute path, or a name that is looked up in `PATH`.
    public var executable: String
    /// The arguments after the program's name, passed on byte by byte.
    public var arguments: [String]
    /// The absolute directory to run in; `nil` leaves the choice to the driver.
    public var workingDirectory: String?

    /// Describes a program and its arguments.
    public init(executable: String, arguments: [String] = [], workingDirectory: String? = nil) {
        self.executable = executable
        self.arguments = arguments
        self.workingDirectory = workingDirectory
    }
}

/// How a server speaks MCP.
public enum Transport: String, Hashable, Sendable, CaseIterable {
    /// One HTTP endpoint for POST, GET and DELETE (revision 2025-03-26 and later).
    case streamableHTTP = "streamable-http"
    /// HTTP with server-sent events, two endpoints (revision 2024-11-05).
    case sse
    /// JSON lines on standard input and output; run behind the bridge, so that its endpoint speaks streamable HTTP.
    case stdio
}

/// When an instance counts as ready: it answers HTTP at all, with any status.
public struct ReadinessProbe: Hashable, Sendable {
    /// How long a new instance may take to become ready before it is stopped and tried again.
    public var startupTimeout: Duration
    /// How often a ready instance is looked at.
    public var period: Duration
    /// How long one probe may take.
    public var timeout: Duration
    /// After how many failures in a row a ready instance becomes unready; 1 or more.
    public var failureThreshold: Int

    /// Describes a probe.
    public init(
        startupTimeout: Duration = .seconds(60),
        period: Duration = .seconds(10),
        timeout: Duration = .seconds(5),
        failureThreshold: Int = 3
    ) {
        self.startupTimeout = startupTimeout
        self.period = period
        self.timeout = timeout
        self.failureThreshold = failureThreshold
    }
}

/// What one instance may use at most; `nil` means no limit of ours.
///
/// A driver that can't enforce a limit that is set says so through ``RuntimeCapabilities/enforceableLimits``.
public struct ResourceLimits: Hashable, Sendable {
    /// Bytes of memory.
    public var memoryBytes: Int64?
    /// Thousandths of a processor: 500 is half of one.
    public var cpuMillicores: Int?
    /// Processes and threads together.
    public var tasks: Int?
    /// Open file descriptors per process.
    public var openFiles: Int?

    /// Describes limits.
    public init(memoryBytes: Int64? = nil, cpuMillicores: Int? = nil, tasks: Int? = nil, openFiles: Int? = nil) {
        self.memoryBytes = memoryBytes
        self.cpuMillicores = cpuMillicores
        self.tasks = tasks
        self.openFiles = openFiles
    }
}

/// A value that never shows itself: every description of it is a row of asterisks.
public struct Secret: Hashable, Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The value itself.
    ///
    /// Only the code that hands it to the workload may read it.
    public let exposed: String

    /// Wraps a value.
    public init(_ value: String) {
        exposed = value
    }

    /// The text form.
    public var description: String { "***" }
    /// The text form.
    public var debugDescription: String { "***" }
    /// Shows nothing.
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}
