// SPDX-License-Identifier: MIT

import RuntimeContract
import Systemd

extension UnitLauncher {
    /// The instances whose units run, whoever started them.
    func running() async throws(RuntimeError) -> Set<InstanceID> {
        do throws(SystemdError) {
            var running: Set<InstanceID> = []
            for unit in try await manager.units(like: names.pattern()) {
                guard let instance = names.instance(unit), try await !manager.state(of: unit).hasEnded else { continue }
                running.insert(instance)
            }
            return running
        } catch {
            throw RuntimeError(.unavailable, error.message)
        }
    }

    /// Ends the units of a workload's instances that are not wanted any more: those from `replicas` on.
    func end(_ workload: WorkloadID, from replicas: Int, grace: Duration) async throws(RuntimeError) {
        let surplus: [String]
        do throws(SystemdError) {
            surplus = try await manager.units(like: names.pattern(workload)).filter { unit in
                names.instance(unit).map { $0.workload == workload && $0.ordinal >= replicas } ?? false
            }
        } catch {
            throw RuntimeError(.unavailable, error.message, workload: workload)
        }
        await withDiscardingTaskGroup { group in
            for unit in surplus { group.addTask { await UnitEnding.end(unit, manager, grace: grace) } }
        }
    }
}
