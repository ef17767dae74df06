// SPDX-License-Identifier: MIT

/// Where a request belongs.
public enum RouteVerdict: Hashable, Sendable {
    /// Begins a legacy session: place it, and bind it when the server gives an id.
    case legacyInitialize
    /// Belongs to the legacy session that its header names.
    case legacySession
    /// Legacy, but of no session: any instance that is ready.
    case legacyStateless
    /// Modern: any instance that is ready, or what the affinity key says. Its session header means nothing.
    case modern(ModernCall)
    /// Is answered by the gateway.
    case reject(GatewayFault)
}

/// What is known of a modern request whose headers and body agree.
public struct ModernCall: Hashable, Sendable {
    /// The method.
    public let method: ArraySlice<UInt8>
    /// What `Mcp-Name` and the body name: a tool, a prompt, a URI or a task; `nil` for other methods.
    public let name: ArraySlice<UInt8>?

    /// The method, if it is one that is treated specially.
    public var knownMethod: MCPMethod? { MCPMethod(bytes: method) }
}

/// What is known about the servers behind a route before one of them is asked.
public struct RoutePolicy: Hashable, Sendable {
    /// Whether they speak nothing but the modern era.
    public var isModernOnly: Bool
    /// Revisions that they speak and that this gateway does not know.
    public var claimedRevisions: Set<String>

    /// Both eras and no unknown revision, unless said otherwise.
    public init(isModernOnly: Bool = false, claimedRevisions: Set<String> = []) {
        self.isModernOnly = isModernOnly
        self.claimedRevisions = claimedRevisions
    }

    /// What a client is told that it could use instead.
    var supportedVersions: [String] {
        claimedRevisions.sorted(by: >) + ProtocolRevision.modern.map(\.rawValue)
    }
}
