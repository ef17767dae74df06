// SPDX-License-Identifier: MIT

/// What the gateway does for a session that has lost its instance.
public enum SessionRecovery: String, Hashable, Sendable, CaseIterable {
    /// Nothing: the client is told by 404, and begins a new session.
    case none
    /// Repeats the client's handshake on another instance, and goes on there.
    case reinitialize
}
