// SPDX-License-Identifier: MIT

/// Who may use and who may change an adapter.
public struct AccessPolicy: Hashable, Sendable {
    /// Who created the adapter.
    public let createdBy: String
    /// Roles of which one is needed to use the adapter; none means that every principal may.
    public let requiredRoles: Set<String>

    /// Describes the rules of one adapter.
    public init(createdBy: String, requiredRoles: Set<String>) {
        self.createdBy = createdBy
        self.requiredRoles = requiredRoles
    }

    /// Whether `principal` may send MCP requests to the adapter and read about it.
    public func allowsUse(by principal: Principal) -> Bool {
        requiredRoles.isEmpty || allowsChange(by: principal) || !requiredRoles.isDisjoint(with: principal.roles)
    }

    /// Whether `principal` may change or delete the adapter.
    public func allowsChange(by principal: Principal) -> Bool {
        principal.isAdministrator || principal.id == createdBy
    }
}
