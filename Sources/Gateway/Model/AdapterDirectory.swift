// SPDX-License-Identifier: MIT

public import RuntimeContract

/// Who the adapters are, as far as routing needs to know.
///
/// An immutable value: the control plane publishes a new one with every change, the data plane reads it without a lock.
public struct AdapterDirectory: Hashable, Sendable {
    /// The adapters by name.
    public var routes: [AdapterName: AdapterRoute]
    /// The adapters whose instances can't be started for now, since others that are in use take all that they may use
    /// together.
    public var overBudget: Set<AdapterName> = []

    /// A directory of `routes`.
    public init(_ routes: [AdapterRoute] = []) {
        self.routes = Dictionary(routes.map { ($0.name, $0) }, uniquingKeysWith: { _, last in last })
    }
}

/// What routing needs to know of one adapter.
public struct AdapterRoute: Hashable, Sendable {
    /// The adapter's name.
    public var name: AdapterName
    /// How its server speaks; a stdio server stands behind the bridge and speaks streamable HTTP.
    public var transport: Transport
    /// The path of the server's MCP endpoint; starts with `/`.
    public var path: String
    /// The path of the server's HTTP+SSE stream; starts with `/`.
    public var ssePath: String
    /// What requests to each instance say in `Host`, by ordinal; empty means the address of the instance.
    public var authorities: [String]
    /// Header fields that requests to the server have besides the client's, and instead of the client's of the same name.
    public var secretHeaders: [String: Secret]
    /// What keeps requests without a session together on one instance.
    public var affinity: SessionAffinity
    /// What is done for sessions that have lost their instance.
    public var recovery: SessionRecovery
    /// The revisions of MCP that the server speaks; empty means those that the gateway knows.
    public var protocolVersions: [String]
    /// Who may use it.
    public var access: AccessPolicy
    /// How long a session may be idle before the gateway stops counting it for placement.
    public var sessionIdleTimeout: Duration
    /// After how long without any request its instances are parked; `nil` for never.
    public var parkAfter: Duration?

    /// Describes an adapter.
    public init(
        name: AdapterName,
        transport: Transport = .streamableHTTP,
        path: String = "/mcp",
        ssePath: String = "/sse",
        authorities: [String] = [],
        secretHeaders: [String: Secret] = [:],
        affinity: SessionAffinity = .none,
        recovery: SessionRecovery = .none,
        protocolVersions: [String] = [],
        access: AccessPolicy,
        sessionIdleTimeout: Duration = .seconds(30 * 60),
        parkAfter: Duration? = nil
    ) {
        self.name = name
        self.transport = transport
        self.path = path
        self.ssePath = ssePath
        self.authorities = authorities
        self.secretHeaders = secretHeaders
        self.affinity = affinity
        self.recovery = recovery
        self.protocolVersions = protocolVersions
        self.access = access
        self.sessionIdleTimeout = sessionIdleTimeout
        self.parkAfter = parkAfter
    }
}
