// SPDX-License-Identifier: MIT

import RuntimeContract
import Systemd

/// What a unit is kept from.
///
/// Servers are programs that the user chose, run as the user: they may read and write what the user may, but not gain
/// privileges, not change the system, and not meet others in `/tmp`.
struct UnitSandbox: Hashable, Sendable {
    /// Whether this manager can give units a view of the file system of their own; a user's manager needs user
    /// namespaces for it, which not every kernel allows.
    var hasNamespaces: Bool

    /// The properties for a plan.
    func properties(_ plan: LaunchPlan) -> [UnitProperty] {
        var properties: [UnitProperty] = [.flag("NoNewPrivileges", true)]
        guard hasNamespaces else { return properties }
        properties.append(.text("ProtectSystem", "full"))
        if let directory = plan.workingDirectory { properties.append(.texts("ReadWritePaths", [directory])) }
        // What is given by a path in there must stay visible.
        let texts = [plan.executable, plan.workingDirectory ?? ""] + plan.arguments + [plan.endpoint.description]
        if !texts.contains(where: { $0.contains("/tmp/") }) { properties.append(.flag("PrivateTmp", true)) }
        return properties
    }
}
