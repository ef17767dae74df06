// SPDX-License-Identifier: MIT

import Glibc
import Logging
import RuntimeContract
import Systemd

/// Units of a driver that ran before in another way: nobody would take them over, so they are ended.
///
/// A file in the state directory says whose manager has units of it, so that a driver without units asks no manager.
struct LeftoverUnits: Sendable {
    private let path: String
    private let names: UnitName
    private let logger: Logger

    /// How long they may go on after they were asked to stop.
    private static let gracePeriod = Duration.seconds(5)

    init(stateDirectory: String, names: UnitName, logger: Logger) {
        path = "\(stateDirectory)/units"
        self.names = names
        self.logger = logger
    }

    /// Ends the units of managers other than the one of `scope`, which is used from now on; `nil` for none.
    ///
    /// A manager that can't be asked is asked again by the next start.
    func end(using scope: ManagerScope?) async {
        let earlier = SmallFile.read(path).flatMap { ManagerScope(rawValue: String($0.prefix { $0 != "\n" })) }
        if let earlier, earlier != scope {
            guard await end(of: earlier) else { return }
            unlink(path)
        }
        if let scope, earlier != scope { write(scope) }
    }

    private func end(of scope: ManagerScope) async -> Bool {
        let manager = SystemdManager.of(scope)
        do throws(SystemdError) {
            let units = try await manager.units(like: names.pattern()).filter { names.instance($0) != nil }
            guard !units.isEmpty else { return true }
            logger.warning("ending units of an earlier launcher", metadata: ["count": "\(units.count)"])
            await withDiscardingTaskGroup { group in
                for unit in units {
                    group.addTask { await UnitEnding.end(unit, manager, grace: Self.gracePeriod) }
                }
            }
            return true
        } catch {
            logger.warning(
                "units of an earlier launcher can't be ended", metadata: ["error": "\(error.message)"])
            return false
        }
    }

    private func write(_ scope: ManagerScope) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        let bytes = Array("\(scope.rawValue)\n".utf8)
        _ = Glibc.write(descriptor, bytes, bytes.count)
    }
}
