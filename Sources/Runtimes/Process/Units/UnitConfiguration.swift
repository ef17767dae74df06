// SPDX-License-Identifier: MIT

import Glibc
public import RuntimeContract
public import Systemd

/// How instances are run as units of systemd, and what this machine's manager can do.
public struct UnitConfiguration: Hashable, Sendable {
    /// Whose manager runs them.
    public var scope: ManagerScope
    /// Whether instances go on when the driver shuts down.
    ///
    /// They survive its crash in any case.
    public var keepsInstances: Bool
    /// The limits that the manager's control groups really enforce.
    public var enforceableLimits: Set<RuntimeCapabilities.Limit>
    /// What units are kept from.
    var sandbox: UnitSandbox
    /// For sockets and environment files.
    var runtimeDirectory = ""

    /// Asks the manager what it can do; `nil` if none answers.
    public static func probe(_ scope: ManagerScope, keepsInstances: Bool) async -> UnitConfiguration? {
        guard scope.isPresent else { return nil }
        let manager = SystemdManager.of(scope)
        guard let group = try? await manager.controlGroup() else { return nil }
        return UnitConfiguration(
            scope: scope, keepsInstances: keepsInstances, enforceableLimits: limits(group),
            sandbox: UnitSandbox(hasNamespaces: await canNamespace(manager)))
    }

    /// What the control groups below the manager's can limit: a limit that is asked for without its controller is taken
    /// and does nothing.
    private static func limits(_ group: String) -> Set<RuntimeCapabilities.Limit> {
        var limits: Set<RuntimeCapabilities.Limit> = [.openFiles]
        let controllers = SmallFile.read("/sys/fs/cgroup\(group)/cgroup.controllers") ?? ""
        for controller in controllers.split(whereSeparator: \.isWhitespace) {
            switch controller {
            case "memory": limits.insert(.memory)
            case "cpu": limits.insert(.cpu)
            case "pids": limits.insert(.tasks)
            default: break
            }
        }
        return limits
    }

    /// Whether a unit with a file system view of its own can be started.
    private static func canNamespace(_ manager: SystemdManager) async -> Bool {
        guard access("/bin/true", X_OK) == 0 else { return false }
        let unit = "mcp-gateway-probe-\(String(UInt64.random(in: 0 ... .max), radix: 36)).service"
        let follower = UnitFollower(manager, unit)
        let properties: [UnitProperty] = [
            .text("Description", "MCP Gateway: can units be sandboxed?"), .text("Type", "oneshot"),
            .execute(path: "/bin/true", arguments: ["true"]),
            .flag("NoNewPrivileges", true), .text("ProtectSystem", "full"), .flag("PrivateTmp", true),
        ]
        guard (try? await manager.start(unit, properties)) != nil else { return false }
        let deadline = ContinuousClock.now + .seconds(6)
        let state = await follower.wait(
            until: { $0.hasEnded && $0.exitCode != 0 }, unless: { ContinuousClock.now > deadline })
        await manager.forget(unit)
        return state?.result == "success" && state?.exitStatus == 0
    }
}
