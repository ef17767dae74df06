// SPDX-License-Identifier: MIT

public import RuntimeContract
public import ServiceLifecycle
import Synchronization

/// Keeps workloads as their specs say, with a launcher for the single lives: the part of a driver that is the same for
/// every way to start something on this machine.
///
/// Each life is one child task of ``run()``. All members may be called from any thread.
public final class Supervisor<L: Launcher>: Service {
    struct State {
        var machines: [WorkloadID: WorkloadMachine] = [:]
        var lives: UInt64 = 0
        var stops: [UInt64: StopSignal] = [:]
        var starts: [Life] = []
        var isEnding = false
        /// Workloads without instances whose traces are being deleted.
        var forgetting: Set<WorkloadID> = []
        /// Woken at every change.
        var departures: [ObjectIdentifier: Wakeup] = [:]
    }

    /// What is to be done once the lock is open again.
    struct Work {
        var stops: [(StopSignal, Duration)] = []
        var departures: [Wakeup] = []
        var gone: WorkloadID?
    }

    private let launcher: L
    private let backoff: Backoff
    private let maximumInstances: Int
    private let changed: @Sendable (WorkloadID, WorkloadStatus?) -> Void
    let state = Mutex(State())
    private let wakeup = Wakeup()
    private let beginning = ContinuousClock.now

    /// Supervises with `launcher`.
    ///
    /// - Parameters:
    ///   - launcher: runs the lives.
    ///   - backoff: how long to wait before a new start.
    ///   - maximumInstances: how many instances all workloads together may have.
    ///   - changed: called with the newest status of a workload, `nil` once it is gone; in order, under a lock, so it
    ///     must neither block nor call back.
    public init(
        launcher: L, backoff: Backoff, maximumInstances: Int,
        changed: @escaping @Sendable (WorkloadID, WorkloadStatus?) -> Void
    ) {
        self.launcher = launcher
        self.backoff = backoff
        self.maximumInstances = maximumInstances
        self.changed = changed
    }

    /// Supervises until graceful shutdown or cancellation; returns when every instance has ended.
    ///
    /// All are asked to end at the same moment, and each is killed after its grace period; or all are let go, where lives
    /// outlive their supervisor.
    public func run() async {
        await withTaskCancellationOrGracefulShutdownHandler {
            await withDiscardingTaskGroup { group in
                while true {
                    let (starts, nextRetry, isEnding) = takeStarts()
                    for (life, stop) in starts { group.addTask { await self.live(life, stop) } }
                    if isEnding { break }
                    await wakeup.wait(atMost: nextRetry.map { max($0 - self.now, .zero) })
                }
            }
        } onCancelOrGracefulShutdown: {
            self.end()
        }
    }

    // MARK: - What is wanted

    /// Makes `spec`, which is valid, the desired state of its workload.
    ///
    /// Waits for an earlier removal to be complete.
    ///
    /// - Parameter inherited: Lives of the workload from before, known to the launcher by name, that don't run what
    ///   `spec` says; for a workload that is new here. They go on until the spec's own are ready.
    public func apply(
        _ spec: WorkloadSpec, inheriting inherited: [(ordinal: Int, name: String)] = []
    ) async throws(RuntimeError) -> ApplyOutcome {
        while true {
            try Self.checkCancellation(spec.id)
            let (result, work): (Result<ApplyOutcome, RuntimeError>?, Work) = state.withLock { state in
                do throws(RuntimeError) {
                    guard !state.isEnding else { throw Self.ended(spec.id) }
                    if state.machines[spec.id]?.isLeaving == true { return (nil, Work()) }
                    let (outcome, work) = try take(spec, inherited, &state)
                    return (.success(outcome), work)
                } catch {
                    return (.failure(error), Work())
                }
            }
            perform(work)
            if let result { return try result.get() }
            try await waitForDeparture(of: spec.id)
        }
    }

    /// Ends every instance of a workload within `gracePeriod`, forgets it, and returns when all of it is gone.
    public func remove(_ id: WorkloadID, gracePeriod: Duration) async throws(RuntimeError) {
        try Self.checkCancellation(id)
        let (isKnown, work) = state.withLock { state in
            guard !state.isEnding, state.machines[id] != nil else { return (state.machines[id] != nil, Work()) }
            return (true, change(id, &state) { machine, _ in machine.leave(grace: gracePeriod, now: now) })
        }
        perform(work)
        if isKnown {
            try await waitForDeparture(of: id)
        } else {
            // What an earlier process of this driver may have left behind.
            launcher.forget(id)
        }
    }

    /// What is known of a workload, or `nil`.
    public func status(of id: WorkloadID) -> WorkloadStatus? { state.withLock { $0.machines[id]?.status } }

    /// The workloads that there are.
    public var workloads: Set<WorkloadID> { state.withLock { Set($0.machines.keys) } }

    private func take(
        _ spec: WorkloadSpec, _ inherited: [(ordinal: Int, name: String)], _ state: inout State
    ) throws(RuntimeError) -> (ApplyOutcome, Work) {
        let others = state.machines.values.reduce(0) { $1.spec.id == spec.id ? $0 : $0 + $1.spec.replicas }
        // Going down is never refused, or a full driver could not be emptied.
        let isMore = spec.replicas > state.machines[spec.id]?.spec.replicas ?? 0
        guard !isMore || others + spec.replicas <= maximumInstances else {
            throw RuntimeError(
                .capacityExceeded,
                "\(spec.replicas) replicas are too many: \(others) of \(maximumInstances) instances are taken by others",
                workload: spec.id)
        }
        guard state.machines[spec.id] != nil else {
            let launcher = launcher
            state.machines[spec.id] = WorkloadMachine(spec, backoff: backoff) { launcher.canRun($0, beside: $1) }
            let lives = inherited.map { InheritedLife(ordinal: $0.ordinal, name: $0.name) }
            let work = change(spec.id, &state) { machine, numbers in
                machine.begin(inheriting: lives, now: now, numbers: &numbers)
            }
            return (.created, work)
        }
        var result: Result<ApplyOutcome, RuntimeError> = .success(.unchanged)
        let work = change(spec.id, &state) { machine, lives in
            do throws(RuntimeError) {
                let (outcome, actions) = try machine.apply(spec, now: now, lives: &lives)
                result = .success(outcome)
                return actions
            } catch {
                result = .failure(error)
                return []
            }
        }
        return (try result.get(), work)
    }

    private func waitForDeparture(of id: WorkloadID) async throws(RuntimeError) {
        let wakeup = Wakeup()
        defer { state.withLock { _ = $0.departures.removeValue(forKey: ObjectIdentifier(wakeup)) } }
        while true {
            try Self.checkCancellation(id)
            let (isLeaving, isEnding) = state.withLock { state in
                state.departures[ObjectIdentifier(wakeup)] = wakeup
                return (state.machines[id]?.isLeaving == true, state.isEnding)
            }
            if !isLeaving { return }
            if isEnding { throw Self.ended(id) }
            await wakeup.wait()
        }
    }

    // MARK: - What happens

    private func live(_ life: Life, _ stop: StopSignal) async {
        let reports = LifeReports { [self] report in
            let work = state.withLock { state in
                change(life.instance.workload, &state) { machine, lives in
                    switch report {
                    case .placed(let incarnation, let endpoint, let isTakenOver):
                        machine.placed(
                            life: life.number, incarnation, endpoint, takenOverAt: isTakenOver ? now : nil)
                        guard isTakenOver else { return [] }
                        // It answered its probe before, so sessions that are bound to it need not wait for the next one.
                        return machine.probeSucceeded(life: life.number, now: now, lives: &lives)
                    case .probeSucceeded:
                        return machine.probeSucceeded(life: life.number, now: now, lives: &lives)
                    case .probeFailed(let message):
                        return machine.probeFailed(life: life.number, message, now: now, lives: &lives)
                    }
                }
            }
            perform(work)
        }
        // A life that was asked to end before its turn never begins.
        let end =
            stop.isRequested || stop.isLetGo
            ? LifeEnd.exited("no start") : await launcher.run(life, reports: reports, stop: stop)
        let random = Double.random(in: 0..<1)
        let work = state.withLock { state in
            state.stops[life.number] = nil
            // Nothing is known any more of what goes on without us.
            if stop.isLetGo { return Work() }
            return change(life.instance.workload, &state) { machine, lives in
                machine.ended(life: life.number, end, now: now, random: random, lives: &lives)
            }
        }
        perform(work)
    }

    /// Lets a machine decide, publishes what it says, and notes what is to be done.
    func change(
        _ id: WorkloadID, _ state: inout State,
        _ decide: (inout WorkloadMachine, inout UInt64) -> [WorkloadMachine.Action]
    ) -> Work {
        guard var machine = state.machines[id] else { return Work() }
        var work = Work()
        for action in decide(&machine, &state.lives) {
            switch action {
            case .start(let life):
                state.starts.append(life)
                state.stops[life.number] = StopSignal()
            case .stop(let life, let grace):
                if let stop = state.stops[life] { work.stops.append((stop, grace)) }
            }
        }
        // The name stays taken until the traces are deleted, so that a new workload's can't be hit.
        if machine.isGone, !state.isEnding, state.forgetting.insert(id).inserted { work.gone = id }
        state.machines[id] = machine
        changed(id, machine.status)
        work.departures = Array(state.departures.values)
        return work
    }

    func perform(_ work: Work) {
        for (stop, grace) in work.stops { stop.request(grace: grace) }
        for departure in work.departures { departure.signal() }
        wakeup.signal()
        guard let id = work.gone else { return }
        launcher.forget(id)
        let departures = state.withLock { state in
            state.forgetting.remove(id)
            state.machines[id] = nil
            changed(id, nil)
            return Array(state.departures.values)
        }
        for departure in departures { departure.signal() }
    }

    private func takeStarts() -> (starts: [(Life, StopSignal)], nextRetry: Duration?, isEnding: Bool) {
        let (result, work) = state.withLock { state in
            var works: [Work] = []
            if !state.isEnding {
                for (id, machine) in state.machines where machine.nextDeadline.map({ $0 <= now }) == true {
                    works.append(change(id, &state) { machine, lives in machine.tick(now: now, lives: &lives) })
                }
            }
            let starts = state.starts.compactMap { life in state.stops[life.number].map { (life, $0) } }
            state.starts = []
            return ((starts, state.machines.values.compactMap(\.nextDeadline).min(), state.isEnding), works)
        }
        // What drained for long enough is asked to stop here; what was begun is in `starts` already.
        for work in work {
            for (stop, grace) in work.stops { stop.request(grace: grace) }
            for departure in work.departures { departure.signal() }
        }
        return result
    }

    private func end() {
        if launcher.livesOutliveSupervisor {
            let (stops, departures) = state.withLock { state in
                state.isEnding = true
                return (Array(state.stops.values), Array(state.departures.values))
            }
            for stop in stops { stop.letGo() }
            for departure in departures { departure.signal() }
            return wakeup.signal()
        }
        let works = state.withLock { state in
            state.isEnding = true
            return state.machines.keys.sorted().map { id in
                change(id, &state) { machine, _ in machine.leave(grace: nil, now: now) }
            }
        }
        for work in works { perform(work) }
        wakeup.signal()
    }

    // MARK: - Small things

    var now: Duration { ContinuousClock.now - beginning }

    private static func ended(_ id: WorkloadID) -> RuntimeError {
        RuntimeError(.unavailable, "the driver has shut down", workload: id)
    }

    private static func checkCancellation(_ id: WorkloadID) throws(RuntimeError) {
        guard !Task.isCancelled else { throw RuntimeError(.cancelled, "the call was cancelled", workload: id) }
    }
}
