// SPDX-License-Identifier: MIT

internal import Glibc
public import Logging
public import RuntimeContract
internal import ServiceLifecycle
internal import Synchronization

/// Runs workloads as child processes of the gateway.
///
/// The processes end with the gateway, however it ends: nothing is adopted by the next one, and nothing is left behind.
public final class ProcessRuntime: RuntimeDriver {
    private struct State {
        var workloads: [WorkloadID: Workload] = [:]
        var isStopped = false
    }

    /// What this driver can do.
    public let capabilities: RuntimeCapabilities

    private let configuration: ProcessRuntimeConfiguration
    private let logger: Logger
    private let publisher = RuntimeStatePublisher()
    private let state = Mutex(State())
    private let jobs: AsyncStream<@Sendable () async -> Void>
    private let addJob: AsyncStream<@Sendable () async -> Void>.Continuation
    private let sockets: String
    private let isSocketDirectoryOurs: Bool

    /// Prepares the driver; makes the directories for logs and sockets below the state directory.
    public init(configuration: ProcessRuntimeConfiguration, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
        capabilities = RuntimeCapabilities(
            name: "process", survivesGatewayRestart: false, maximumReplicas: configuration.capacity,
            sources: [.image, .command], enforceableLimits: [.openFiles], keepsPreviousLogs: true,
            supportsWorkloadIdentity: false)
        // An instance is one job; the capacity bounds them, and replacements wait for the end of what they replace.
        (jobs, addJob) = AsyncStream.makeStream(
            of: (@Sendable () async -> Void).self, bufferingPolicy: .bufferingOldest(configuration.capacity * 2 + 16))
        mkdir("\(configuration.stateDirectory)/logs", 0o700)
        let directory = "\(configuration.stateDirectory)/sockets"
        // The name of an instance and the suffix come behind; a socket's path has at most 107 bytes (unix(7)).
        if directory.utf8.count + 1 + WorkloadID.maximumLength + 12 <= 107 {
            mkdir(directory, 0o700)
            sockets = directory
            isSocketDirectoryOurs = false
        } else {
            var template = Array("/tmp/mcp-gateway.XXXXXX".utf8CString)
            sockets = mkdtemp(&template).map { String(cString: $0) } ?? directory
            isSocketDirectoryOurs = true
        }
    }

    /// Supervises until graceful shutdown or cancellation, then stops every instance and returns when all are gone.
    public func run() async throws {
        await withDiscardingTaskGroup { group in
            for await job in jobs.cancelOnGracefulShutdown() { group.addTask { await job() } }
            let workloads = state.withLock { state in
                state.isStopped = true
                return Array(state.workloads.values)
            }
            for workload in workloads { workload.shutDown() }
        }
        addJob.finish()
        publisher.finish()
        if isSocketDirectoryOurs { rmdir(sockets) }
    }

    // MARK: - RuntimeDriver

    /// Checks the parts that a local process can't have.
    public func validate(_ spec: WorkloadSpec) throws(RuntimeError) {
        guard (0...configuration.capacity).contains(spec.replicas) else {
            throw RuntimeError(
                .invalidSpec, "replicas: \(spec.replicas) is not in 0...\(configuration.capacity)", workload: spec.id)
        }
        guard !spec.usesWorkloadIdentity else {
            throw RuntimeError(
                .unsupported, "workload identities exist on clusters only; local processes run as the gateway's user",
                workload: spec.id)
        }
        switch spec.source {
        case .image(let name, let version):
            guard configuration.catalogue.image(name, version) != nil else {
                throw RuntimeError(.invalidSpec, configuration.catalogue.absence(of: name, version), workload: spec.id)
            }
        case .command(let command):
            guard !command.executable.isEmpty else {
                throw RuntimeError(.invalidSpec, "command: a program is needed", workload: spec.id)
            }
            if let directory = command.workingDirectory, !directory.hasPrefix("/") {
                throw RuntimeError(
                    .invalidSpec, "workingDirectory: '\(directory)' is not absolute", workload: spec.id)
            }
        }
    }

    /// Nothing survives from before, so all is missing.
    public func recover(_ desired: [WorkloadSpec]) async throws(RuntimeError) -> RecoveryReport {
        let known = state.withLock { Set($0.workloads.keys) }
        let wanted = Set(desired.map(\.id))
        return RecoveryReport(
            adopted: known.intersection(wanted), missing: wanted.subtracting(known), orphaned: known.subtracting(wanted)
        )
    }

    /// See ``RuntimeDriver/apply(_:)``.
    public func apply(_ spec: WorkloadSpec) async throws(RuntimeError) -> ApplyOutcome {
        try validate(spec)
        while true {
            if Task.isCancelled { throw RuntimeError(.cancelled, "the call was cancelled", workload: spec.id) }
            let (workload, isNew) = try place(spec)
            guard !workload.isBeingRemoved else {
                // Calls about one workload take effect one after the other.
                await workload.remove(gracePeriod: spec.gracePeriod)
                forget(workload)
                continue
            }
            if isNew {
                workload.settle()
                return .created
            }
            return try workload.apply(spec)
        }
    }

    /// The workload of that name, made if there is none, with room for its replicas.
    private func place(_ spec: WorkloadSpec) throws(RuntimeError) -> (Workload, isNew: Bool) {
        try state.withLock { state throws(RuntimeError) in
            guard !state.isStopped else {
                throw RuntimeError(.unavailable, "the gateway is stopping", workload: spec.id)
            }
            let others = state.workloads.values.filter { $0.id != spec.id }.map(\.target.replicas).reduce(0, +)
            guard others + spec.replicas <= configuration.capacity else {
                throw RuntimeError(
                    .capacityExceeded,
                    "\(spec.replicas) instances beside \(others) others are more than the \(configuration.capacity) allowed",
                    workload: spec.id)
            }
            if let workload = state.workloads[spec.id] { return (workload, false) }
            let workload = Workload(spec, surroundings)
            state.workloads[spec.id] = workload
            return (workload, true)
        }
    }

    private var surroundings: Workload.Surroundings {
        Workload.Surroundings(
            configuration: configuration, sockets: sockets, logs: "\(configuration.stateDirectory)/logs",
            logger: logger,
            publish: { [publisher] status, id in publisher.update { $0.workloads[id] = status } },
            start: { [addJob] job in addJob.yield(job) })
    }

    /// See ``RuntimeDriver/remove(_:gracePeriod:)``.
    public func remove(_ id: WorkloadID, gracePeriod: Duration) async throws(RuntimeError) {
        guard let workload = state.withLock({ $0.workloads[id] }) else { return }
        await workload.remove(gracePeriod: gracePeriod)
        if Task.isCancelled {
            throw RuntimeError(.cancelled, "the call was cancelled; the removal goes on", workload: id)
        }
        forget(workload)
    }

    private func forget(_ workload: Workload) {
        let isForgotten = state.withLock { state in
            guard state.workloads[workload.id] === workload else { return false }
            state.workloads[workload.id] = nil
            return true
        }
        if isForgotten { publisher.update { $0.workloads[workload.id] = nil } }
    }

    /// See ``RuntimeDriver/status(of:)``.
    public func status(of id: WorkloadID) async throws(RuntimeError) -> WorkloadStatus {
        guard let workload = state.withLock({ $0.workloads[id] }) else {
            throw RuntimeError(.notFound, "there is no such workload", workload: id)
        }
        return workload.status
    }

    /// See ``RuntimeDriver/observe()``.
    public func observe() -> RuntimeEvents { publisher.events() }

    /// See ``RuntimeDriver/logs(of:options:)``.
    public func logs(of instance: InstanceID, options: LogOptions) async throws(RuntimeError) -> LogStream {
        guard let log = state.withLock({ $0.workloads[instance.workload] })?.log(instance.ordinal) else {
            throw RuntimeError(.notFound, "there is no instance \(instance)", workload: instance.workload)
        }
        if options.previous, access(log.path(.previous), F_OK) != 0 {
            throw RuntimeError(
                .notFound, "\(instance) has no previous log: it was not started again", workload: instance.workload)
        }
        let reader = LogReader(log, options)
        return LogStream { () async throws(RuntimeError) in await reader.next() }
    }
}
