// SPDX-License-Identifier: MIT

/// Who is asking.
///
/// Flows through every layer: sealed into sessions, stored as `createdBy`, checked by ``AccessPolicy``.
public struct Principal: Hashable, Sendable {
    /// A role that may do everything.
    public static let administratorRole = "mcp.admin"

    /// Everybody, where no authentication is set up: a developer's own machine.
    public static let development = Principal(id: "development", roles: [administratorRole])

    /// A stable, unique name of 1...512 bytes: issuer and subject of a token, or a fixed word.
    public let id: String
    /// The roles that the identity provider gives.
    public let roles: Set<String>

    /// Describes who is asking.
    public init(id: String, roles: Set<String>) {
        precondition((1...512).contains(id.utf8.count), "a principal's id has 1...512 bytes")
        self.id = id
        self.roles = roles
    }

    /// Whether it may do everything.
    public var isAdministrator: Bool { roles.contains(Self.administratorRole) }
}
