// SPDX-License-Identifier: MIT

public import RuntimeContract
internal import Supervision

/// A driver that runs nothing: instances are simulated, the rules are the real ones.
///
/// For tests of what stands on a driver. It is held to the same conformance suite as the real drivers, and shares the
/// supervision of lives with the process driver, so that roll-outs, backoff and phases are those of real workloads.
public final class MemoryRuntime: RuntimeDriver {
    /// What this driver can do.
    public let capabilities: RuntimeCapabilities
    private let supervisor: Supervisor<MemoryLauncher>
    private let launcher: MemoryLauncher
    private let publisher: RuntimeStatePublisher
    private let contact: Contact

    /// A driver with nothing in it.
    ///
    /// - Parameters:
    ///   - capacity: how many instances there may be at once.
    ///   - maximumReplicas: how many replicas a workload may have.
    ///   - backoff: how long to wait before a new start; milliseconds by default, so that tests need not wait.
    ///   - server: how an instance of a spec behaves; asked at each start.
    public init(
        capacity: Int = 100,
        maximumReplicas: Int = 100,
        backoff: Backoff = Backoff(initial: .milliseconds(5), maximum: .milliseconds(50)),
        server: @escaping @Sendable (WorkloadSpec, InstanceID) -> SimulatedServer = { _, _ in SimulatedServer() }
    ) {
        capabilities = RuntimeCapabilities(
            name: "memory", survivesGatewayRestart: false, maximumReplicas: maximumReplicas,
            sources: [.image, .command],
            enforceableLimits: Set(RuntimeCapabilities.Limit.allCases), keepsPreviousLogs: true,
            supportsWorkloadIdentity: false, parking: true,
            rollsOutBeside: true)
        let publisher = RuntimeStatePublisher()
        let contact = Contact(publisher: publisher)
        let launcher = MemoryLauncher(server: server)
        self.publisher = publisher
        self.contact = contact
        self.launcher = launcher
        supervisor = Supervisor(launcher: launcher, backoff: backoff, maximumInstances: capacity) { id, status in
            contact.update { $0.workloads[id] = status }
        }
    }

    /// Supervises until graceful shutdown or cancellation; every instance has ended when it returns.
    public func run() async {
        await supervisor.run()
        publisher.finish()
    }

    // MARK: - Hooks of tests

    /// Ends an instance as a crash would; `words` say how: `killed by SIGKILL (signal 9)`.
    ///
    /// - Returns: whether it ran.
    @discardableResult
    public func killInstance(_ id: InstanceID, words: String = "killed by SIGKILL (signal 9)") -> Bool {
        launcher.kill(id, words)
    }

    /// How many simulated instances run.
    public var runningInstances: Int { launcher.runningInstances }

    /// Lets every start fail for this reason, until it is `nil` again.
    public func failStarts(_ reason: String?) { launcher.failStarts(reason) }

    /// Loses the contact to the simulated platform: calls throw `unavailable`, instances become unknown and keep
    /// their endpoints.
    ///
    /// What happens meanwhile is seen when the contact is restored.
    public func cutConnection() { contact.lose() }

    /// Ends what ``cutConnection()`` began.
    public func restoreConnection() { contact.restore() }

    // MARK: - RuntimeDriver

    /// Checks that `spec` could run.
    public func validate(_ spec: WorkloadSpec) throws(RuntimeError) {
        try SpecRules.check(spec, capabilities: capabilities)
    }

    /// Finds nothing from before: simulated instances end with the driver.
    public func recover(_ desired: [WorkloadSpec]) async throws(RuntimeError) -> RecoveryReport {
        try checkContact(nil)
        return supervisor.recoveryReport(desired)
    }

    /// Makes `spec` the desired state of its workload.
    public func apply(_ spec: WorkloadSpec) async throws(RuntimeError) -> ApplyOutcome {
        try validate(spec)
        try checkContact(spec.id)
        return try await supervisor.apply(spec)
    }

    /// Ends and forgets a workload.
    public func remove(_ id: WorkloadID, gracePeriod: Duration) async throws(RuntimeError) {
        try checkContact(id)
        try await supervisor.remove(id, gracePeriod: gracePeriod)
    }

    /// Parks an instance.
    public func park(_ instance: InstanceID, incarnation: Incarnation) async throws(RuntimeError) {
        try checkContact(instance.workload)
        supervisor.park(instance, incarnation: incarnation)
    }

    /// Starts an instance that is parked.
    public func wake(_ instance: InstanceID) async throws(RuntimeError) {
        try checkContact(instance.workload)
        supervisor.wake(instance)
    }

    /// Stops a draining instance that has no sessions any more.
    public func release(_ instance: InstanceID, incarnation: Incarnation) async {
        supervisor.release(instance, incarnation: incarnation)
    }

    /// What is known of the workload; the last that was known while the contact is lost.
    public func status(of id: WorkloadID) async throws(RuntimeError) -> WorkloadStatus {
        guard let status = publisher.snapshot.workloads[id] else {
            throw RuntimeError(.notFound, "there is no such workload", workload: id)
        }
        return status
    }

    /// The state of all workloads, and each newer one.
    public func observe() -> RuntimeEvents { publisher.events() }

    /// What the simulated server wrote.
    public func logs(of instance: InstanceID, options: LogOptions) async throws(RuntimeError) -> LogStream {
        try checkContact(instance.workload)
        guard let log = launcher.log(of: instance, previous: options.previous) else {
            let what = options.previous ? "\(instance) has no previous log" : "there is no log of \(instance)"
            throw RuntimeError(.notFound, what, workload: instance.workload)
        }
        return log.stream(options, now: .now)
    }

    private func checkContact(_ id: WorkloadID?) throws(RuntimeError) {
        guard contact.isLost else { return }
        throw RuntimeError(.unavailable, "the simulated platform can't be reached", workload: id)
    }
}
