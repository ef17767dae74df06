// SPDX-License-Identifier: MIT

import Model

/// Finds out who sends a request.
public protocol Authenticator: Sendable {
    /// What the credentials say, whatever they were issued for.
    ///
    /// Called on event loops: it must not block. It may be dear, as a signature is; what it says is remembered by
    /// ``IdentityCache``.
    ///
    /// - Parameter now: In seconds since 1970.
    func identify(_ credentials: Credentials, now: Int64) throws(AuthenticationError) -> Identity

    /// Calls `body` once, from any thread, when ``identify(_:now:)`` may say more than ``AuthenticationError/undecided``,
    /// and in any case after some seconds.
    ///
    /// - Returns: `false`, and `body` is never called, when too many wait already.
    func whenDecided(_ body: @escaping @Sendable () -> Void) -> Bool
}

/// Everybody is the developer at the machine: for a gateway that only this machine can reach.
public struct DevelopmentAuthenticator: Authenticator {
    private static let developer = Identity(
        principal: .development, audiences: [], hasScopes: true, expiry: .max)

    /// An authenticator that asks for nothing.
    public init() {}

    /// Always ``Principal/development``.
    public func identify(_ credentials: Credentials, now: Int64) throws(AuthenticationError) -> Identity {
        Self.developer
    }

    /// Calls `body` at once.
    public func whenDecided(_ body: @escaping @Sendable () -> Void) -> Bool {
        body()
        return true
    }
}
