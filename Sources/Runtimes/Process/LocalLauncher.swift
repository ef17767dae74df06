// SPDX-License-Identifier: MIT

import RuntimeContract
import Supervision

/// One of the two ways to start something on this machine.
enum LocalLauncher: Launcher {
    /// Child processes.
    case child(ProcessLauncher)
    /// Units of systemd.
    case unit(UnitLauncher)

    var livesOutliveSupervisor: Bool {
        switch self {
        case .child(let launcher): launcher.livesOutliveSupervisor
        case .unit(let launcher): launcher.livesOutliveSupervisor
        }
    }

    func run(_ life: Life, reports: LifeReports, stop: StopSignal) async -> LifeEnd {
        switch self {
        case .child(let launcher): await launcher.run(life, reports: reports, stop: stop)
        case .unit(let launcher): await launcher.run(life, reports: reports, stop: stop)
        }
    }

    func canRun(_ newer: WorkloadSpec, beside older: WorkloadSpec) -> Bool {
        switch self {
        case .child(let launcher): launcher.canRun(newer, beside: older)
        case .unit(let launcher): launcher.canRun(newer, beside: older)
        }
    }

    func forget(_ workload: WorkloadID) {
        switch self {
        case .child(let launcher): launcher.forget(workload)
        case .unit(let launcher): launcher.forget(workload)
        }
    }

    /// The launcher of units, if it is that.
    var units: UnitLauncher? {
        if case .unit(let launcher) = self { launcher } else { nil }
    }
}
