// SPDX-License-Identifier: MIT

internal import RuntimeContract
internal import Synchronization

/// Where workloads wait that may not start yet, for want of room in the gateway's budget.
///
/// Shared by who starts them, ``Reconciler``, and who makes room, ``ParkingWatch``.
final class StartGate: Sendable {
    private struct State {
        var ledger: BudgetLedger
        /// Who is not started, with how many instances.
        var held: [WorkloadID: Int] = [:]
    }

    let budget: Budget
    /// Rung when somebody is held.
    let signal = WakeSignal()
    private let state: Mutex<State>

    init(_ budget: Budget) {
        self.budget = budget
        state = Mutex(State(ledger: BudgetLedger(budget)))
    }

    /// Whether a workload that does not run yet may start; one that may not is held until there is room.
    func admit(_ workload: WorkloadID, instances: Int) -> Bool {
        guard budget.isLimited else { return true }
        let isAdmitted = state.withLock { state in
            guard case .refused = state.ledger.admit(workload, instances: instances) else {
                state.held[workload] = nil
                return true
            }
            state.held[workload] = instances
            return false
        }
        if !isAdmitted { signal.ring() }
        return isAdmitted
    }

    /// Who is held, with how many instances.
    var held: [WorkloadID: Int] { state.withLock(\.held) }

    /// Whether a workload is held.
    func holds(_ workload: WorkloadID) -> Bool { state.withLock { $0.held[workload] != nil } }

    /// Lets a workload go that was held, or is no more.
    func open(_ workload: WorkloadID) { state.withLock { $0.held[workload] = nil } }

    /// Decides by what was measured.
    func decide<Value: Sendable>(_ body: (inout BudgetLedger) -> Value) -> Value {
        state.withLock { body(&$0.ledger) }
    }
}
