// SPDX-License-Identifier: MIT

internal import Logging
internal import ProcessRuntime
internal import RuntimeContract
internal import Systemd

/// How servers are started on this machine.
public enum LauncherChoice: String, Hashable, Sendable, CaseIterable {
    /// As units where a manager answers, else as child processes.
    case auto
    /// As child processes of the gateway.
    case child
    /// As units of systemd.
    case systemd

    /// What the driver is to be told: `nil` for child processes.
    ///
    /// Root's gateway takes the manager of the machine, any other its user's.
    ///
    /// - Throws: `unavailable` if units are wanted and no manager answers.
    func units(keepsServers: Bool?, logger: Logger) async throws(StartupError) -> UnitConfiguration? {
        guard self != .child else { return nil }
        let scope = ManagerScope.own
        let keeps = keepsServers ?? ServiceNotifier.isUnit
        guard let units = await UnitConfiguration.probe(scope, keepsInstances: keeps) else {
            guard self == .auto else {
                throw StartupError(
                    .unavailable,
                    "launcher: systemd's \(scope) manager does not answer; give auto or child, or see to it that it runs"
                )
            }
            logger.info(
                "servers run as child processes", metadata: ["reason": "no \(scope) manager of systemd answers"])
            return nil
        }
        logger.info(
            "servers run as units of systemd",
            metadata: [
                "manager": "\(scope)", "keepsServers": "\(keeps)",
                "enforces": "\(units.enforceableLimits.map(\.rawValue).sorted().joined(separator: " "))",
            ])
        return units
    }
}
