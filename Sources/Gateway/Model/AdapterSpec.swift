// SPDX-License-Identifier: MIT

internal import JSON
public import RuntimeContract

/// What a client wants of an adapter: every field that can be written, checked.
public struct AdapterSpec: Hashable, Sendable {
    /// What runs.
    public var source: Source
    /// Variables of the server's environment.
    public var environmentVariables: [String: String]
    /// Variables whose values can be written and never read.
    public var secretEnvironmentVariables: [String: Secret]
    /// Header fields that requests to servers of somebody else have, by name, whose values can be written and never read.
    public var secretHeaders: [String: Secret]
    /// How many instances; 0 stops the server.
    public var replicaCount: Int
    /// A text for people.
    public var description: String
    /// Whether instances run under the platform's workload identity.
    public var useWorkloadIdentity: Bool
    /// Roles of which one is needed to use the adapter; none means that every principal may.
    public var requiredRoles: [String]
    /// How the server speaks; `nil` takes what is known of the image, or streamable HTTP.
    public var transport: Transport?
    /// The port on which the server listens; `nil` leaves it to the gateway.
    public var port: UInt16?
    /// The path of the MCP endpoint; `nil` takes what is known of the image, or `/mcp`.
    public var path: String?
    /// The path of the HTTP+SSE stream; `nil` means `/sse`.
    public var ssePath: String?
    /// The revisions of MCP that the server speaks, as far as they are told; none are: those that the gateway knows.
    public var protocolVersions: [String]
    /// What one instance may use at most.
    public var resources: ResourceLimits
    /// How long an instance may go on after it was asked to stop, before it is killed, in seconds.
    public var gracePeriodSeconds: Int
    /// How sessions are kept.
    public var session: SessionRules
    /// Free key-value pairs.
    public var labels: [String: String]

    /// What runs: exactly one of these.
    public enum Source: Hashable, Sendable {
        /// `imageName` and `imageVersion`, perhaps with `command`, `arguments` and `workingDirectory` to run in it.
        case image(name: String, version: String, command: Command? = nil)
        /// `command`, `arguments` and `workingDirectory`.
        case command(Command)
        /// `url`: servers that somebody else runs; one or more.
        case remote([RemoteURL])
    }

    /// How sessions are kept.
    public struct SessionRules: Hashable, Sendable {
        /// How long a session may be idle before it is no longer counted for placement, in seconds.
        public var idleTimeoutSeconds: Int
        /// How long sessions may go on with an instance that is replaced or no longer wanted, in seconds.
        public var drainTimeoutSeconds: Int
        /// After how long without any request the instances are parked, in seconds; `nil` for never.
        public var parkAfterSeconds: Int?
        /// What keeps requests without a session together on one instance.
        public var affinity: SessionAffinity
        /// What is done for sessions that have lost their instance.
        public var recovery: SessionRecovery

        /// The rules with their defaults: half an hour, five minutes, never, nothing, nothing.
        public init(
            idleTimeoutSeconds: Int = 30 * 60, drainTimeoutSeconds: Int = 300, parkAfterSeconds: Int? = nil,
            affinity: SessionAffinity = .none, recovery: SessionRecovery = .none
        ) {
            self.idleTimeoutSeconds = idleTimeoutSeconds
            self.drainTimeoutSeconds = drainTimeoutSeconds
            self.parkAfterSeconds = parkAfterSeconds
            self.affinity = affinity
            self.recovery = recovery
        }
    }

    /// Describes an adapter; what is not given has the default of the API.
    public init(
        source: Source,
        environmentVariables: [String: String] = [:],
        secretEnvironmentVariables: [String: Secret] = [:],
        secretHeaders: [String: Secret] = [:],
        replicaCount: Int = 1,
        description: String = "",
        useWorkloadIdentity: Bool = false,
        requiredRoles: [String] = [],
        transport: Transport? = nil,
        port: UInt16? = nil,
        path: String? = nil,
        ssePath: String? = nil,
        protocolVersions: [String] = [],
        resources: ResourceLimits = ResourceLimits(),
        gracePeriodSeconds: Int = 5,
        session: SessionRules = SessionRules(),
        labels: [String: String] = [:]
    ) {
        self.source = source
        self.environmentVariables = environmentVariables
        self.secretEnvironmentVariables = secretEnvironmentVariables
        self.secretHeaders = secretHeaders
        self.replicaCount = replicaCount
        self.description = description
        self.useWorkloadIdentity = useWorkloadIdentity
        self.requiredRoles = requiredRoles
        self.transport = transport
        self.port = port
        self.path = path
        self.ssePath = ssePath
        self.protocolVersions = protocolVersions
        self.resources = resources
        self.gracePeriodSeconds = gracePeriodSeconds
        self.session = session
        self.labels = labels
    }

    /// Whether somebody else runs the servers.
    public var isRemote: Bool { if case .remote = source { true } else { false } }

    /// All values that can be written and never read: of header fields where somebody else runs the servers, else of
    /// variables.
    public var secrets: [String: Secret] {
        get { isRemote ? secretHeaders : secretEnvironmentVariables }
        set { if isRemote { secretHeaders = newValue } else { secretEnvironmentVariables = newValue } }
    }

    /// Whether both say the same, byte by byte.
    ///
    /// `==` is not enough here: it takes texts for equal that differ in their bytes (Unicode canonical equivalence),
    /// and a server sees bytes.
    public func isIdentical(to other: AdapterSpec) -> Bool {
        let secrets = secrets.mapValues(\.exposed)
        let otherSecrets = other.secrets.mapValues(\.exposed)
        return JSONValue.object(json).bytes == JSONValue.object(other.json).bytes
            && JSONValue.strings(secrets).bytes == JSONValue.strings(otherSecrets).bytes
    }
}
