// SPDX-License-Identifier: MIT

public import RuntimeContract

/// A live session as this gateway knows it, without anything that would let somebody use it.
public struct SessionSummary: Hashable, Sendable {
    /// How the client speaks.
    public enum Kind: String, Hashable, Sendable {
        /// Streamable HTTP (2025-03-26 and later).
        case streamableHTTP = "streamable-http"
        /// HTTP with server-sent events (2024-11-05).
        case sse
    }

    /// How the client speaks.
    public var kind: Kind
    /// Where it lives.
    public var instance: InstanceID
    /// When this gateway saw it first; in the life that it has now, where it was begun anew.
    public var createdAt: Timestamp
    /// When it was last used.
    public var lastUsedAt: Timestamp
    /// Requests and streams of it that are not over.
    public var open: Int
    /// Requests of it that this gateway has seen.
    public var requests: Int

    /// Describes a session.
    public init(
        kind: Kind, instance: InstanceID, createdAt: Timestamp, lastUsedAt: Timestamp, open: Int, requests: Int
    ) {
        self.kind = kind
        self.instance = instance
        self.createdAt = createdAt
        self.lastUsedAt = lastUsedAt
        self.open = open
        self.requests = requests
    }
}
