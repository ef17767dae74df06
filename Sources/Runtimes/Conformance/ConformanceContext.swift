// SPDX-License-Identifier: MIT

import Logging
import RuntimeContract
import ServiceLifecycle
import Synchronization

/// What a check works with.
struct ConformanceContext: Sendable {
    let harness: any ConformanceHarness
    private let services: ServiceGroup

    /// How long anything that should happen may take, on a machine with much to do.
    ///
    /// A kubelet removes what it missed of an ended pod only once a minute, looks at the pod in rounds of ten seconds
    /// after that, and waits longer before every start of a program that fails.
    static let patience: Duration = .seconds(150)
    /// How long a whole check may take, which is many such things one after the other.
    static let checkPatience: Duration = .seconds(450)

    init(_ harness: any ConformanceHarness) {
        self.harness = harness
        services = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: [harness.driver],
                logger: Logger(label: "conformance") { _ in SwiftLogNoOpLogHandler() }))
    }

    var driver: any RuntimeDriver { harness.driver }

    func runDriver() async throws { try await services.run() }

    /// Begins a graceful shutdown.
    ///
    /// Idempotent.
    func shutDown() async { await services.triggerGracefulShutdown() }

    /// What the driver says when it is asked, but for what changes all the time.
    func status(of id: WorkloadID) async throws -> WorkloadStatus {
        var status = try await driver.status(of: id)
        for index in status.instances.indices { status.instances[index].usage = nil }
        return status
    }

    // MARK: - Specs

    static let workload = WorkloadID("conformance").unsafelyNamed

    func spec(
        _ program: ConformanceProgram = .server, generation: Int64 = 1, replicas: Int = 1,
        id: WorkloadID = ConformanceContext.workload
    ) -> WorkloadSpec {
        WorkloadSpec(
            id: id, generation: generation, source: harness.source(program), replicas: replicas,
            readiness: ReadinessProbe(startupTimeout: .seconds(30), period: .milliseconds(200)),
            gracePeriod: .seconds(10), drainTime: .zero)
    }

    func instance(_ ordinal: Int) -> InstanceID { InstanceID(workload: Self.workload, ordinal: ordinal) }

    // MARK: - Waiting

    /// Waits until a state of the workload fulfils `condition`, and returns it.
    @discardableResult
    func eventually(
        _ what: String, of id: WorkloadID = ConformanceContext.workload, line: UInt = #line,
        _ condition: @escaping @Sendable (WorkloadStatus) -> Bool
    ) async throws -> WorkloadStatus {
        let found = try await eventuallySnapshot(what, line: line) { snapshot in
            snapshot.workloads[id].map(condition) ?? false
        }
        return try require(found.workloads[id], "\(id) is there", line: line)
    }

    /// Waits until a state fulfils `condition`, and returns it.
    @discardableResult
    func eventuallySnapshot(
        _ what: String, line: UInt = #line, _ condition: @escaping @Sendable (RuntimeSnapshot) -> Bool
    ) async throws -> RuntimeSnapshot {
        let driver = driver
        let last = Mutex<RuntimeSnapshot?>(nil)
        do {
            return try await withDeadline(what, line: line) {
                for await snapshot in driver.observe() {
                    if condition(snapshot) { return snapshot }
                    last.withLock { $0 = snapshot }
                }
                throw ConformanceFailure(message: "\(what): not seen before the states ended", line: line)
            }
        } catch let failure as ConformanceFailure {
            let state = last.withLock { String(describing: $0?.workloads) }
            throw ConformanceFailure(message: "\(failure.message); the last state was \(state)", line: line)
        }
    }

    /// Waits until all replicas of the spec are ready and satisfy its generation.
    @discardableResult
    func eventuallyReady(_ spec: WorkloadSpec, line: UInt = #line) async throws -> WorkloadStatus {
        try await eventually("\(spec.id) is ready at generation \(spec.generation)", of: spec.id, line: line) {
            status in
            status.observedGeneration == spec.generation && status.instances.count == spec.replicas
                && status.instances.allSatisfy { $0.phase == .ready && $0.generation == spec.generation }
        }
    }

    /// Applies a spec and waits until it is ready.
    @discardableResult
    func applyAndWait(_ spec: WorkloadSpec, line: UInt = #line) async throws -> WorkloadStatus {
        _ = try await driver.apply(spec)
        return try await eventuallyReady(spec, line: line)
    }

    /// Runs `body`, and fails if it takes too long.
    func withDeadline<T: Sendable>(
        _ what: String, within patience: Duration = Self.patience, line: UInt = #line,
        _ body: @escaping @Sendable () async throws -> T
    ) async throws -> T {
        try await withThrowingTaskGroup(of: T.self) { group in
            group.addTask { try await body() }
            group.addTask {
                try await Task.sleep(for: patience)
                throw ConformanceFailure(message: "\(what): not within \(patience)", line: line)
            }
            defer { group.cancelAll() }
            return try require(try await group.next(), what, line: line)
        }
    }

    /// Waits for what a task finds; one that takes too long is cancelled, which has to end it.
    func value<T: Sendable, Failure>(
        of task: Task<T, Failure>, _ what: String, within patience: Duration = Self.patience, line: UInt = #line
    ) async throws -> T {
        try await withDeadline(what, within: patience, line: line) {
            try await withTaskCancellationHandler {
                try await task.value
            } onCancel: {
                task.cancel()
            }
        }
    }

    // MARK: - Errors

    /// Fails unless `body` throws a `RuntimeError` with this code.
    func expectError(
        _ code: RuntimeError.Code, _ what: String, line: UInt = #line, _ body: () async throws -> Void
    ) async throws {
        do {
            try await body()
        } catch let error as RuntimeError {
            return try expect(error.code == code, "\(what): \(code) is expected, got \(error)", line: line)
        }
        throw ConformanceFailure(message: "\(what): \(code) is expected, nothing was thrown", line: line)
    }
}

extension WorkloadStatus {
    /// The incarnations by ordinal.
    var incarnations: [Int: Incarnation] {
        instances.reduce(into: [:]) { $0[$1.id.ordinal] = $1.incarnation }
    }
}

extension WorkloadID? {
    /// The name that a literal of the suite stands for.
    fileprivate var unsafelyNamed: WorkloadID {
        guard let self else { preconditionFailure("a name of the suite is not a label") }
        return self
    }
}
