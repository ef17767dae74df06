// SPDX-License-Identifier: MIT

internal import Model
internal import RuntimeContract
internal import Store
internal import Synchronization

/// Why a workload could not be brought up to date.
struct ReconcileFailure: Hashable, Sendable {
    /// The word for programs.
    var code: String
    /// The sentence for people.
    var message: String
    /// How often it was tried in a row.
    var attempts: Int
}

/// What the control plane shows to others: the directory and the endpoints to the data plane, failures and readiness
/// to the API.
final class Projection: Sendable {
    /// Whether the gateway is ready.
    enum Readiness: Hashable {
        /// What runs from before is not known yet; why the last attempt to find out failed.
        case recovering(String?)
        case ready
        case stopping
    }

    private struct State {
        var directory = AdapterDirectory()
        var generations: [WorkloadID: Int64] = [:]
        var snapshot = RuntimeSnapshot()
        var endpoints = EndpointTable()
        var failures: [WorkloadID: ReconcileFailure] = [:]
        var readiness = Readiness.recovering(nil)
    }

    /// Rung when it is known what runs from before.
    let recovery = WakeSignal()

    private let state = Mutex(State())
    private let publish: @Sendable (AdapterDirectory, EndpointTable) -> Void

    init(publish: @escaping @Sendable (AdapterDirectory, EndpointTable) -> Void) {
        self.publish = publish
    }

    /// What the runtime showed last.
    var snapshot: RuntimeSnapshot { state.withLock(\.snapshot) }

    /// The adapters whose instances are parked when nobody uses them.
    var parking: [AdapterRoute] { state.withLock { $0.directory.routes.values.filter { $0.parkAfter != nil } } }

    /// All adapters.
    var routes: [AdapterRoute] { state.withLock { Array($0.directory.routes.values) } }

    /// Says whether a workload can't be started for want of room in the budget.
    ///
    /// - Returns: whether that is news.
    func set(isOverBudget: Bool, _ id: WorkloadID) -> Bool {
        guard let name = AdapterName(id.rawValue) else { return false }
        return state.withLock { state in
            guard state.directory.overBudget.contains(name) != isOverBudget else { return false }
            if isOverBudget {
                state.directory.overBudget.insert(name)
            } else {
                state.directory.overBudget.remove(name)
            }
            tell(state)
            return true
        }
    }

    /// Whether an adapter stands for the workload.
    func wants(_ id: WorkloadID) -> Bool { state.withLock { $0.generations[id] != nil } }

    var readiness: Readiness { state.withLock(\.readiness) }

    func set(_ readiness: Readiness) {
        state.withLock { $0.readiness = readiness }
        if readiness == .ready { recovery.ring() }
    }

    /// What there is to say of a workload where it is written what is wanted.
    func progress(of id: WorkloadID) -> AdapterProgress {
        state.withLock { AdapterProgress(status: $0.snapshot.workloads[id], failure: $0.failures[id]?.message) }
    }

    func failure(of id: WorkloadID) -> ReconcileFailure? {
        state.withLock { $0.failures[id] }
    }

    func set(_ failure: ReconcileFailure?, of id: WorkloadID) {
        state.withLock { $0.failures[id] = failure }
    }

    /// Takes up all adapters, in place of what was known.
    func begin(with adapters: [Adapter], _ route: (Adapter) -> AdapterRoute) {
        state.withLock { state in
            state.directory = AdapterDirectory(adapters.map(route))
            state.generations = Dictionary(
                adapters.map { ($0.name.workload, $0.generation) }, uniquingKeysWith: { _, last in last })
            tell(state)
        }
    }

    /// Takes up a change of one adapter; `nil` takes it out of the directory.
    func update(_ name: AdapterName, _ adapter: (generation: Int64, route: AdapterRoute)?) {
        state.withLock { state in
            state.generations[name.workload] = adapter?.generation
            guard state.directory.routes[name] != adapter?.route else { return }
            state.directory.routes[name] = adapter?.route
            if adapter == nil { state.directory.overBudget.remove(name) }
            tell(state)
        }
    }

    /// Takes up what the runtime shows.
    ///
    /// - Returns: the workloads that the runtime does not hold as they are wanted.
    func update(_ snapshot: RuntimeSnapshot) -> [WorkloadID] {
        state.withLock { state in
            state.snapshot = snapshot
            let endpoints = EndpointTable(snapshot, after: state.endpoints)
            if endpoints != state.endpoints {
                state.endpoints = endpoints
                tell(state)
            }
            guard snapshot.isReachable else { return [] }
            return state.generations.filter { id, generation in
                (snapshot.workloads[id]?.observedGeneration ?? 0) < generation
            }.map(\.key)
        }
    }

    /// Publishes under the lock, so that two changes can't arrive in the wrong order; whoever is told only hands the
    /// values on to the event loops.
    private func tell(_ state: State) {
        publish(state.directory, state.endpoints)
    }
}
