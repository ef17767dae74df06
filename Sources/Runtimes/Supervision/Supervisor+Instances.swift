// SPDX-License-Identifier: MIT

public import RuntimeContract
import Synchronization

extension Supervisor {
    /// Stops an instance that nobody needs for now, if that is its present life; see ``RuntimeDriver``.
    public func park(_ instance: InstanceID, incarnation: Incarnation) {
        decide(instance.workload) { machine, lives in
            machine.park(instance.ordinal, incarnation, now: now, lives: &lives)
        }
    }

    /// Starts an instance that is parked.
    public func wake(_ instance: InstanceID) {
        decide(instance.workload) { machine, lives in machine.wake(instance.ordinal, now: now, lives: &lives) }
    }

    /// Nobody is bound to a draining life any more.
    public func release(_ instance: InstanceID, incarnation: Incarnation) {
        decide(instance.workload) { machine, lives in
            machine.release(instance.ordinal, incarnation, now: now, lives: &lives)
        }
    }

    private func decide(
        _ id: WorkloadID, _ decide: (inout WorkloadMachine, inout UInt64) -> [WorkloadMachine.Action]
    ) {
        let work = state.withLock { state in
            state.machines[id]?.isLeaving == false && !state.isEnding ? change(id, &state, decide) : Work()
        }
        perform(work)
    }
}

extension Supervisor {
    /// What a driver whose instances never outlive it answers to `recover`.
    public func recoveryReport(_ desired: [WorkloadSpec]) -> RecoveryReport {
        let wanted = Set(desired.map(\.id))
        let present = workloads
        return RecoveryReport(
            adopted: wanted.intersection(present), missing: wanted.subtracting(present),
            orphaned: present.subtracting(wanted))
    }
}
