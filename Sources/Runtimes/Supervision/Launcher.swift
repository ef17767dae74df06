// SPDX-License-Identifier: MIT

public import RuntimeContract

/// Starts instances in one particular way: as child processes, as units of systemd, or in memory only.
public protocol Launcher: Sendable {
    /// Whether lives go on when their supervisor shuts down.
    ///
    /// Then they are let go at the end (``StopSignal/onLetGo(_:)``) and not asked to end.
    var livesOutliveSupervisor: Bool { get }

    /// Runs one life from its start to its very end, and says how it ended.
    ///
    /// Returns only when nothing of the life is left. Asks the instance to end as soon as `stop` is requested, and kills
    /// it after the grace period. Cancellation of the task means that nobody waits for readiness any more; the stop is
    /// requested separately, and the grace period is kept.
    func run(_ life: Life, reports: LifeReports, stop: StopSignal) async -> LifeEnd

    /// Whether a life of `newer` can be started while one of `older` for the same instance runs.
    ///
    /// Pure. Where it can't, since both would listen on one port say, a roll-out stops the older one first.
    func canRun(_ newer: WorkloadSpec, beside older: WorkloadSpec) -> Bool

    /// Deletes what is kept of a workload whose instances have all ended.
    func forget(_ workload: WorkloadID)
}
