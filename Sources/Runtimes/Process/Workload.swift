// SPDX-License-Identifier: MIT

internal import Logging
internal import RuntimeContract
internal import Synchronization

/// One workload: what is wanted of it, and the instances there are. Level-triggered: whatever happens, ``settle()`` looks
/// at both and takes the next steps.
final class Workload: Sendable {
    private struct Slot {
        var supervisor: InstanceSupervisor
        var status: InstanceStatus
        var isAskedToStop = false
    }

    private struct State {
        var target: WorkloadSpec
        var slots: [Int: Slot] = [:]
        var removalGrace: Duration?
        var isShutDown = false
        var waiters: [AsyncStream<Never>.Continuation] = []

        var isEnding: Bool { removalGrace != nil || isShutDown }
    }

    private enum Step {
        case start(InstanceSupervisor)
        case stop(InstanceSupervisor, Duration)
    }

    /// What a workload needs of its driver.
    struct Surroundings: Sendable {
        let configuration: ProcessRuntimeConfiguration
        let sockets: String
        let logs: String
        let logger: Logger
        let publish: @Sendable (WorkloadStatus?, WorkloadID) -> Void
        let start: @Sendable (@escaping @Sendable () async -> Void) -> Void
    }

    let id: WorkloadID
    private let surroundings: Surroundings
    private let state: Mutex<State>

    init(_ spec: WorkloadSpec, _ surroundings: Surroundings) {
        id = spec.id
        self.surroundings = surroundings
        state = Mutex(State(target: spec))
    }

    var target: WorkloadSpec { state.withLock(\.target) }
    var isBeingRemoved: Bool { state.withLock { $0.removalGrace != nil } }

    /// Wants `spec` from now on.
    func apply(_ spec: WorkloadSpec) throws(RuntimeError) -> ApplyOutcome {
        let outcome = try state.withLock { state throws(RuntimeError) -> ApplyOutcome in
            guard spec.generation >= state.target.generation else {
                throw RuntimeError(
                    .superseded,
                    "generation \(state.target.generation) was applied before generation \(spec.generation)",
                    workload: id)
            }
            var before = state.target
            before.generation = spec.generation
            state.target = spec
            return before == spec ? .unchanged : .updated
        }
        settle()
        return outcome
    }

    /// Wants nothing any more, and waits until nothing is left. A cancelled wait leaves the removal going on.
    func remove(gracePeriod: Duration) async {
        let stream = state.withLock { state in
            state.removalGrace = min(state.removalGrace ?? gracePeriod, gracePeriod)
            let (stream, continuation) = AsyncStream.makeStream(of: Never.self)
            state.waiters.append(continuation)
            return stream
        }
        settle()
        for await _ in stream {}
    }

    /// The driver ends: all instances stop, and none is started again.
    func shutDown() {
        state.withLock { $0.isShutDown = true }
        settle()
    }

    /// What is known now.
    var status: WorkloadStatus { state.withLock { Self.status($0) } }

    /// The log of the instance with that ordinal.
    func log(_ ordinal: Int) -> InstanceLog? {
        state.withLock { $0.slots[ordinal]?.supervisor.log }
    }

    // MARK: - Settling

    /// Takes the steps that bring what there is nearer to what is wanted. Short; the steps themselves run elsewhere, and
    /// each of their ends settles again.
    func settle() {
        let (steps, waiters) = state.withLock { state in
            let steps = nextSteps(&state)
            var waiters: [AsyncStream<Never>.Continuation] = []
            if state.slots.isEmpty, state.removalGrace != nil {
                waiters = state.waiters
                state.waiters = []
            }
            // Under the lock, so that an older status never follows a newer one; publishing runs no reader's code.
            surroundings.publish(Self.status(state), id)
            return (steps, waiters)
        }
        for step in steps {
            switch step {
            case .start(let supervisor):
                surroundings.start { [self] in
                    await supervisor.run()
                    ended(supervisor)
                }
            case .stop(let supervisor, let grace): supervisor.remove(gracePeriod: grace)
            }
        }
        for waiter in waiters { waiter.finish() }
    }

    private func nextSteps(_ state: inout State) -> [Step] {
        var steps: [Step] = []
        let wanted = state.isEnding ? 0 : state.target.replicas
        for ordinal in state.slots.keys.sorted(by: >) where ordinal >= wanted {
            stop(ordinal, state.removalGrace ?? state.target.gracePeriod, &state, &steps)
        }
        guard !state.isEnding else { return steps }
        for ordinal in 0..<wanted where state.slots[ordinal] == nil {
            let supervisor = makeSupervisor(ordinal, state.target)
            let initial = InstanceStatus(
                id: supervisor.id, generation: state.target.generation, phase: .pending)
            state.slots[ordinal] = Slot(supervisor: supervisor, status: initial)
            steps.append(.start(supervisor))
        }
        // One at a time, the highest first, and only while all that were replaced are well: a generation that does not
        // come up stops here, with the others still on the old one.
        let outdated = state.slots.filter { !$0.value.supervisor.spec.runsLike(state.target) }
        let areOthersWell = state.slots.allSatisfy { ordinal, slot in
            outdated[ordinal] != nil ? !slot.isAskedToStop : slot.status.phase == .ready
        }
        if areOthersWell, let ordinal = outdated.keys.max() {
            stop(ordinal, state.target.gracePeriod, &state, &steps)
        }
        return steps
    }

    private func stop(_ ordinal: Int, _ grace: Duration, _ state: inout State, _ steps: inout [Step]) {
        guard let slot = state.slots[ordinal], !slot.isAskedToStop else { return }
        state.slots[ordinal]?.isAskedToStop = true
        steps.append(.stop(slot.supervisor, grace))
    }

    private func makeSupervisor(_ ordinal: Int, _ spec: WorkloadSpec) -> InstanceSupervisor {
        let instance = InstanceID(workload: id, ordinal: ordinal)
        return InstanceSupervisor(
            id: instance, spec: spec,
            log: InstanceLog(
                directory: "\(surroundings.logs)/\(instance)", maximumBytes: surroundings.configuration.logFileBytes),
            configuration: surroundings.configuration, sockets: surroundings.sockets, logger: surroundings.logger,
            changed: { [weak self] status in self?.changed(status) })
    }

    private func changed(_ status: InstanceStatus) {
        let isNews = state.withLock { state in
            guard let slot = state.slots[status.id.ordinal], slot.status != status else { return false }
            state.slots[status.id.ordinal]?.status = status
            return true
        }
        if isNews { settle() }
    }

    private func ended(_ supervisor: InstanceSupervisor) {
        let isRemoved = state.withLock { state in
            if state.slots[supervisor.id.ordinal]?.supervisor === supervisor {
                state.slots[supervisor.id.ordinal] = nil
            }
            return state.removalGrace != nil
        }
        if isRemoved { supervisor.log.delete() }
        settle()
    }

    private static func status(_ state: State) -> WorkloadStatus {
        let target = state.target
        let image =
            switch target.source {
            case .image(let name, let version): "\(name):\(version)"
            case .command(let command): command.executable
            }
        let instances = state.slots.sorted { $0.key < $1.key }.map { _, slot in
            var status = slot.status
            if slot.supervisor.spec.runsLike(target) { status.generation = target.generation }
            return status
        }
        return WorkloadStatus(
            id: target.id, observedGeneration: target.generation, desiredReplicas: target.replicas, image: image,
            instances: instances)
    }
}
