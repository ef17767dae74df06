// SPDX-License-Identifier: MIT

public import Model

/// What good credentials say: who, where, and how long.
public final class Identity: Sendable {
    /// Who it is.
    public let principal: Principal
    /// What the credentials were issued for (RFC 8707 resource indicators, or names that were agreed on).
    public let audiences: [String]
    /// Whether they have every scope that is needed.
    public let hasScopes: Bool
    /// When they end, in seconds since 1970; `Int64.max` for never.
    public let expiry: Int64

    /// Describes good credentials.
    public init(principal: Principal, audiences: [String], hasScopes: Bool, expiry: Int64) {
        self.principal = principal
        self.audiences = audiences
        self.hasScopes = hasScopes
        self.expiry = expiry
    }
}
