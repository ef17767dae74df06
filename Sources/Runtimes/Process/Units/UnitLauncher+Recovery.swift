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

    /// The units of a workload that run something else than what is wanted, or are not wanted any more, by ordinal.
    ///
    /// Claimed for whoever asks: they are to be inherited (``Life/inherited``).
    func heritage(of spec: WorkloadSpec) async throws(RuntimeError) -> [(ordinal: Int, name: String)] {
        let fingerprint = LaunchMark.fingerprint(
            spec, try LaunchPlan.resolve(spec, configuration.catalogue), key: owner)
        var heritage: [(ordinal: Int, name: String)] = []
        do throws(SystemdError) {
            var wanted = Set(0..<spec.replicas)
            for unit in try await manager.units(like: names.pattern(spec.id)).sorted() {
                guard let instance = names.instance(unit), instance.workload == spec.id else { continue }
                let state = try await manager.state(of: unit)
                guard state.active == "active", let mark = LaunchMark(environment: state.environment) else { continue }
                if mark.fingerprint == fingerprint, wanted.remove(instance.ordinal) != nil { continue }
                if claims.take(unit) { heritage.append((instance.ordinal, unit)) }
            }
        } catch {
            for life in heritage { claims.giveBack(life.name) }
            throw RuntimeError(.unavailable, error.message, workload: spec.id)
        }
        return heritage
    }

    /// Ends the units of a workload.
    func end(_ workload: WorkloadID, grace: Duration) async throws(RuntimeError) {
        let surplus: [String]
        do throws(SystemdError) {
            surplus = try await manager.units(like: names.pattern(workload)).filter { unit in
                names.instance(unit)?.workload == workload
            }
        } catch {
            throw RuntimeError(.unavailable, error.message, workload: workload)
        }
        await withDiscardingTaskGroup { group in
            for unit in surplus { group.addTask { await UnitEnding.end(unit, manager, grace: grace) } }
        }
    }
}
