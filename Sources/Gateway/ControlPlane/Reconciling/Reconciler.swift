// SPDX-License-Identifier: MIT

internal import Logging
internal import Metrics
internal import Model
internal import Observability
internal import RuntimeContract
internal import Store
internal import Synchronization

/// Makes true what the store says, and keeps it true.
///
/// Level-triggered: whatever the reason to look at a workload, what is done follows from what is stored then. So a
/// crash between any two steps costs nothing but time: the next start looks at everything once.
struct Reconciler: Sendable {
    let store: AdapterStore
    let authority: any AdapterAuthority
    let driver: any RuntimeDriver
    let configuration: ControlPlaneConfiguration
    let projection: Projection
    let gate: StartGate
    let logger: Logger
    private let queue: Shared
    private let elapsed: @Sendable () -> Duration

    /// What other tasks touch.
    private final class Shared: Sendable {
        let queue: Mutex<ReconcileQueue>
        let signal = WakeSignal()

        init(limit: Int) {
            queue = Mutex(ReconcileQueue(limit: limit))
        }
    }

    init(
        store: AdapterStore,
        authority: any AdapterAuthority,
        driver: any RuntimeDriver,
        configuration: ControlPlaneConfiguration,
        projection: Projection,
        gate: StartGate,
        logger: Logger
    ) {
        self.store = store
        self.authority = authority
        self.driver = driver
        self.configuration = configuration
        self.projection = projection
        self.gate = gate
        self.logger = logger
        queue = Shared(limit: configuration.concurrentReconciles)
        elapsed = Self.stopwatch(configuration.clock)
    }

    /// Has `id` looked at soon, because what is wanted of it has changed.
    func ask(_ id: WorkloadID) {
        queue.queue.withLock { $0.ask(id) }
        queue.signal.ring()
    }

    /// Has `ids` looked at soon, unless they are being looked at or have just failed.
    func nudge(_ ids: [WorkloadID]) {
        guard !ids.isEmpty else { return }
        queue.queue.withLock { queue in
            for id in ids where !gate.holds(id) { queue.nudge(id) }
        }
        queue.signal.ring()
    }

    /// Finds out what runs from before, then brings workloads up to date until the task is cancelled.
    ///
    /// - Parameter stored: all that was stored when the store began to tell of changes.
    func run(_ stored: [StoredAdapter]) async {
        await recover(stored)
        for adapter in stored { ask(adapter.adapter.name.workload) }
        await withDiscardingTaskGroup { group in
            while !Task.isCancelled {
                let now = elapsed()
                switch queue.queue.withLock({ $0.next(at: now) }) {
                case .start(let id):
                    group.addTask { await work(on: id) }
                case .wait(let moment):
                    await queue.signal.wait(atMost: moment.map { $0 - now }, clock: configuration.clock)
                }
            }
        }
    }

    private static func stopwatch(_ clock: some Clock<Duration>) -> @Sendable () -> Duration {
        let start = clock.now
        return { start.duration(to: clock.now) }
    }
}

// MARK: - One workload

extension Reconciler {
    private func work(on id: WorkloadID) async {
        let outcome: ReconcileQueue.Outcome
        do throws(ReconcileError) {
            try await reconcile(id)
            projection.set(nil, of: id)
            outcome = .succeeded
        } catch  where error.isForWantOfRoom {
            // Tried again when there is room, or when a request wants it.
            projection.set(ReconcileFailure(code: error.code, message: error.message, attempts: 1), of: id)
            logger.info("workload held: the budget has no room for it", metadata: [LogKey.workload: "\(id)"])
            outcome = .succeeded
        } catch {
            outcome = .failed(retryIn: note(error, id))
        }
        Counter(
            label: MetricName.reconciles.rawValue,
            dimensions: [("outcome", outcome == .succeeded ? "succeeded" : "failed")]
        ).increment()
        let now = elapsed()
        queue.queue.withLock { $0.finish(id, outcome, at: now) }
        queue.signal.ring()
    }

    /// Writes a failure down and says how long to wait.
    private func note(_ error: ReconcileError, _ id: WorkloadID) -> Duration {
        let attempts = queue.queue.withLock { $0.failedAttempts(of: id) } + 1
        // What can't succeed without a change is still looked at now and then: the world may change, a catalogue say.
        let delay =
            error.isRetryable
            ? configuration.backoff.delay(afterFailures: attempts, random: .random(in: 0..<1))
            : configuration.backoff.maximum
        guard !error.isCancellation else { return delay }
        projection.set(ReconcileFailure(code: error.code, message: error.message, attempts: attempts), of: id)
        logger.warning(
            "bringing a workload up to date failed",
            metadata: [
                LogKey.workload: "\(id)", LogKey.error: .untrusted("\(error.code): \(error.message)"),
                LogKey.attempt: "\(attempts)", LogKey.delay: "\(delay)",
            ])
        return delay
    }

    private func reconcile(_ id: WorkloadID) async throws(ReconcileError) {
        let stored: StoredAdapter?
        do throws(StoreError) {
            // A name that no adapter can have belongs to nothing that is stored.
            if let name = AdapterName(id.rawValue) {
                stored = try await store.adapter(named: name)
            } else {
                stored = nil
            }
        } catch {
            throw .store(error)
        }
        guard let stored else { return try await remove(id, gracePeriod: .seconds(5)) }
        if stored.isDeleted {
            try await remove(id, gracePeriod: stored.adapter.gracePeriod)
            do throws(AuthorityError) {
                try await authority.forget(stored.adapter.name, uid: stored.adapter.uid)
            } catch {
                throw .authority(error)
            }
        } else {
            let workload = workload(stored.adapter)
            guard mayStart(workload) else { throw .overBudget }
            try await apply(workload)
        }
    }

    /// Whether there is room for what would start; what runs already, or at somebody else's, needs none.
    private func mayStart(_ workload: WorkloadSpec) -> Bool {
        let isRemote = if case .remote = workload.source { true } else { false }
        guard !isRemote, workload.replicas > 0, projection.snapshot.workloads[workload.id] == nil else {
            gate.open(workload.id)
            return true
        }
        return gate.admit(workload.id, instances: workload.replicas)
    }

    private func apply(_ workload: WorkloadSpec) async throws(ReconcileError) {
        let deadline = Deadline(limit: configuration.runtimeTimeout, clock: configuration.clock)
        let driver = driver
        let outcome: ApplyOutcome
        do throws(RuntimeError) {
            outcome = try await deadline.run(workload.id) { () throws(RuntimeError) in try await driver.apply(workload)
            }
        } catch {
            throw .runtime(error)
        }
        guard outcome != .unchanged else { return }
        logger.info(
            "workload applied",
            metadata: [
                LogKey.workload: "\(workload.id)", LogKey.generation: "\(workload.generation)",
                "outcome": "\(outcome.rawValue)",
            ])
    }

    private func remove(_ id: WorkloadID, gracePeriod: Duration) async throws(ReconcileError) {
        let deadline = Deadline(limit: configuration.runtimeTimeout + gracePeriod, clock: configuration.clock)
        let driver = driver
        // Removing is idempotent and done more than once; only the time that it has an effect is news.
        let wasPresent = projection.snapshot.workloads[id] != nil
        do throws(RuntimeError) {
            try await deadline.run(id) { () throws(RuntimeError) in
                try await driver.remove(id, gracePeriod: gracePeriod)
            }
        } catch {
            throw .runtime(error)
        }
        if wasPresent { logger.info("workload removed", metadata: [LogKey.workload: "\(id)"]) }
    }

    func workload(_ adapter: Adapter) -> WorkloadSpec {
        adapter.workload(on: driver, configuration)
    }
}

/// What kept a workload from being brought up to date.
private enum ReconcileError: Error {
    case store(StoreError)
    case authority(AuthorityError)
    case runtime(RuntimeError)
    case overBudget

    var code: String {
        switch self {
        case .store, .authority: "storeFailed"
        case .runtime(let error): error.code.rawValue
        case .overBudget: "overBudget"
        }
    }

    var message: String {
        switch self {
        case .store(let error), .authority(.store(let error)): error.message
        case .authority(.unavailable(let message)), .authority(.refused(let message)),
            .authority(.failed(let message)):
            message
        case .runtime(let error): error.message
        case .overBudget:
            "not started yet: others take all that servers may use together; a request for it starts it, if nobody uses one of them"
        }
    }

    var isForWantOfRoom: Bool {
        if case .overBudget = self { return true }
        return false
    }

    var isRetryable: Bool {
        switch self {
        case .store, .authority, .overBudget: true
        case .runtime(let error): error.isRetryable
        }
    }

    var isCancellation: Bool {
        if case .runtime(let error) = self { return error.code == .cancelled }
        return false
    }
}
