// SPDX-License-Identifier: MIT

/// What a token may be good for (RFC 9728: a protected resource).
public enum ProtectedResource: Hashable, Sendable {
    /// The gateway as a whole: its API, and every adapter.
    case gateway
    /// One adapter, by the path of its URL after `/adapters/NAME/`: `mcp` or `sse`.
    case adapter(String, endpoint: Endpoint)

    /// Which URL of an adapter a client was given.
    public enum Endpoint: String, Hashable, Sendable, CaseIterable {
        /// The one endpoint of streamable HTTP.
        case mcp
        /// The stream of HTTP+SSE.
        case sse
    }

    /// The path of its URL; empty for the gateway.
    public var path: String {
        switch self {
        case .gateway: ""
        case .adapter(let name, let endpoint): "/adapters/\(name)/\(endpoint.rawValue)"
        }
    }
}
