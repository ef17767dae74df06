// SPDX-License-Identifier: MIT

public import Model

/// What a request brings to say who sends it.
///
/// Borrowed from the request's head.
public struct Credentials {
    /// The value of `Authorization`, if there is one.
    public let authorization: UnsafeRawBufferPointer?

    /// The credentials of one request.
    public init(authorization: UnsafeRawBufferPointer?) {
        self.authorization = authorization
    }
}

/// Why a request's sender is not known.
public enum AuthenticationError: Error, Hashable, Sendable {
    /// There are no credentials, and they are needed.
    case missing
    /// The credentials are not good.
    case invalid
}

/// Finds out who sends a request.
///
/// Asked on every request, on an event loop: it must not block.
public protocol Authenticator: Sendable {
    /// The sender.
    func authenticate(_ credentials: Credentials) throws(AuthenticationError) -> Principal
}

/// Everybody is the developer at the machine: for a gateway that only this machine can reach.
public struct DevelopmentAuthenticator: Authenticator {
    /// An authenticator that asks for nothing.
    public init() {}

    /// Always ``Principal/development``.
    public func authenticate(_ credentials: Credentials) throws(AuthenticationError) -> Principal { .development }
}
