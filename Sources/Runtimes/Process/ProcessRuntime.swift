// SPDX-License-Identifier: MIT

import Glibc
public import Logging
public import NIOCore
public import NIOPosix
public import RuntimeContract
import Supervision

/// Runs workloads as child processes of this one.
///
/// HTTP servers get a port of the loopback interface each; stdio servers run behind the bridge, which listens on a Unix
/// socket. Children never outlive this process: they are ended at shutdown, and the kernel kills them if it is killed. What
/// they started may; the next driver for the same state directory kills that before it starts anything.
public final class ProcessRuntime: RuntimeDriver {
    /// What this driver can do.
    public let capabilities: RuntimeCapabilities
    private let configuration: ProcessRuntimeConfiguration
    private let supervisor: Supervisor<ProcessLauncher>
    private let publisher = RuntimeStatePublisher()
    private let archive: LogArchive
    private let sockets: SocketDirectory
    private let ledger: SpawnLedger
    private let logger: Logger

    /// A driver with nothing in it, which starts nothing before ``run()`` is called.
    ///
    /// - Parameters:
    ///   - configuration: what there is to know of the machine.
    ///   - logger: hears of every start and end of an instance.
    ///   - eventLoopGroup: where readiness is asked from.
    public init(
        configuration: ProcessRuntimeConfiguration, logger: Logger,
        eventLoopGroup: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton
    ) {
        precondition(configuration.stateDirectory.hasPrefix("/"), "the state directory is absolute")
        self.configuration = configuration
        capabilities = RuntimeCapabilities(
            name: "process", survivesGatewayRestart: false, maximumReplicas: configuration.maximumReplicas,
            sources: [.image, .command], enforceableLimits: [.openFiles],
            keepsPreviousLogs: true, supportsWorkloadIdentity: false)
        let archive = LogArchive(
            directory: "\(configuration.stateDirectory)/logs", limits: configuration.logLimits)
        let sockets = SocketDirectory(stateDirectory: configuration.stateDirectory)
        let ledger = SpawnLedger(stateDirectory: configuration.stateDirectory)
        let launcher = ProcessLauncher(
            configuration: configuration, group: eventLoopGroup, logger: logger, archive: archive, sockets: sockets,
            ledger: ledger)
        self.ledger = ledger
        self.logger = logger
        self.archive = archive
        self.sockets = sockets
        let publisher = publisher
        supervisor = Supervisor(
            launcher: launcher, backoff: configuration.backoff, maximumInstances: configuration.capacity
        ) { id, status in
            publisher.update { $0.workloads[id] = status }
        }
    }

    /// Supervises until graceful shutdown or cancellation; every instance has ended when it returns.
    ///
    /// At shutdown all instances are asked to end at the same moment, and each is killed after its grace period.
    /// Before the first start, what an earlier driver left behind is killed.
    public func run() async {
        let strays = ledger.sweep()
        if strays > 0 { logger.warning("killed what an earlier run left behind", metadata: ["processes": "\(strays)"]) }
        sockets.removeLeftovers()
        await supervisor.run()
        sockets.removeAll()
        publisher.finish()
    }

    /// Checks that `spec` could run: the rules for every driver, an image that the catalogue has, and a bridge for a
    /// stdio server.
    public func validate(_ spec: WorkloadSpec) throws(RuntimeError) {
        try SpecRules.check(spec, capabilities: capabilities)
        let resolved = try LaunchPlan.resolve(spec, configuration.catalogue)
        if resolved.transport == .stdio, configuration.bridgeExecutable == nil {
            throw RuntimeError(.unsupported, "transport: no bridge for stdio servers is configured", workload: spec.id)
        }
    }

    /// Finds nothing from before: children end with the driver.
    public func recover(_ desired: [WorkloadSpec]) async throws(RuntimeError) -> RecoveryReport {
        supervisor.recoveryReport(desired)
    }

    /// Makes `spec` the desired state of its workload.
    public func apply(_ spec: WorkloadSpec) async throws(RuntimeError) -> ApplyOutcome {
        try validate(spec)
        return try await supervisor.apply(spec)
    }

    /// Ends a workload and deletes its logs.
    public func remove(_ id: WorkloadID, gracePeriod: Duration) async throws(RuntimeError) {
        try await supervisor.remove(id, gracePeriod: gracePeriod)
    }

    /// What is known of the workload now.
    public func status(of id: WorkloadID) async throws(RuntimeError) -> WorkloadStatus {
        guard let status = supervisor.status(of: id) else {
            throw RuntimeError(.notFound, "there is no such workload", workload: id)
        }
        return status
    }

    /// The state of all workloads, and each newer one.
    public func observe() -> RuntimeEvents { publisher.events() }

    /// What an instance wrote on its standard output and error.
    public func logs(of instance: InstanceID, options: LogOptions) async throws(RuntimeError) -> LogStream {
        guard let log = archive.log(of: instance, previous: options.previous) else {
            let what = options.previous ? "\(instance) has no previous log" : "there is no log of \(instance)"
            throw RuntimeError(.notFound, what, workload: instance.workload)
        }
        return LogReader(log, options: options, now: .now).stream
    }
}
