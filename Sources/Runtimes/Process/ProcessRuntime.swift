// SPDX-License-Identifier: MIT

import Glibc
public import Logging
public import NIOCore
public import NIOPosix
public import RuntimeContract
import Spawn
import Supervision
import Systemd

/// Runs workloads on this machine: as child processes of this one, or as units of systemd.
///
/// HTTP servers get a port of the loopback interface each; stdio servers run behind the bridge, which listens on a Unix
/// socket. Children never outlive this process: they are ended at shutdown, and the kernel kills them if it is killed. What
/// they started may; the next driver for the same state directory kills that before it starts anything. Units outlive its
/// crash, and its shutdown if the configuration says so; the next driver takes them over.
public final class ProcessRuntime: RuntimeDriver {
    /// What this driver can do.
    public let capabilities: RuntimeCapabilities
    private let configuration: ProcessRuntimeConfiguration
    private let supervisor: Supervisor<LocalLauncher>
    private let launcher: LocalLauncher
    private let publisher = RuntimeStatePublisher()
    private let archive: LogArchive
    private let sockets: SocketDirectory
    private let ledger: SpawnLedger
    private let usage = LifeUsage()
    private let groups: LifeGroups
    private let logger: Logger

    /// How long taking over may take until a workload counts as missing.
    private static let takeOverPatience = Duration.seconds(5)

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
        self.logger = logger
        capabilities = RuntimeCapabilities(
            name: configuration.units == nil ? "process" : "systemd",
            survivesGatewayRestart: configuration.units?.keepsInstances ?? false,
            maximumReplicas: configuration.maximumReplicas,
            sources: [.image, .command],
            enforceableLimits: configuration.units?.enforceableLimits ?? [.openFiles],
            keepsPreviousLogs: true, supportsWorkloadIdentity: false, parking: true,
            rollsOutBeside: true)
        ledger = SpawnLedger(stateDirectory: configuration.stateDirectory)
        groups = LifeGroups(stateDirectory: configuration.stateDirectory, owner: ledger.owner.description)
        archive = LogArchive(
            directory: "\(configuration.stateDirectory)/logs", limits: configuration.logLimits)
        sockets = SocketDirectory(stateDirectory: configuration.stateDirectory)
        if var units = configuration.units {
            let names = UnitName(owner: ledger.owner.description)
            units.runtimeDirectory = "\(units.scope.runtimeDirectory)/\(names.prefix)"
            launcher = .unit(
                UnitLauncher(
                    configuration: configuration, units: units, manager: .of(units.scope), group: eventLoopGroup,
                    logger: logger, names: names, owner: ledger.owner.description,
                    logs: UnitLogs(scope: units.scope), usage: usage))
        } else {
            launcher = .child(
                ProcessLauncher(
                    configuration: configuration, group: eventLoopGroup, logger: logger, archive: archive,
                    sockets: sockets, ledger: ledger, usage: usage, groups: groups))
        }
        let publisher = publisher
        supervisor = Supervisor(
            launcher: launcher, backoff: configuration.backoff, maximumInstances: configuration.capacity
        ) { id, status in
            publisher.update { $0.workloads[id] = status }
        }
    }

    /// Supervises until graceful shutdown or cancellation; every instance has ended when it returns, unless they are to
    /// go on.
    ///
    /// At shutdown all instances are asked to end at the same moment, and each is killed after its grace period.
    /// Before the first start, what an earlier driver left behind is killed.
    public func run() async {
        let strays = ledger.sweep() + groups.sweep()
        if strays > 0 { logger.warning("killed what an earlier run left behind", metadata: ["processes": "\(strays)"]) }
        sockets.removeLeftovers()
        await LeftoverUnits(
            stateDirectory: configuration.stateDirectory, names: UnitName(owner: ledger.owner.description),
            logger: logger
        ).end(using: configuration.units?.scope)
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

    /// Takes over the units that run what is wanted; finds nothing from before with child processes.
    public func recover(_ desired: [WorkloadSpec]) async throws(RuntimeError) -> RecoveryReport {
        guard let units = launcher.units else { return supervisor.recoveryReport(desired) }
        let before = supervisor.workloads
        let running = try await units.running()
        let present = Set(running.map(\.workload)).subtracting(before)
        for spec in desired where present.contains(spec.id) {
            do throws(RuntimeError) {
                _ = try await apply(spec)
                await takenOver(spec, running)
            } catch  where error.code == .cancelled {
                throw error
            } catch {
                logger.warning(
                    "an instance can't be taken over",
                    metadata: ["workload": "\(spec.id)", "error": "\(error.message)"])
            }
        }
        let wanted = Set(desired.map(\.id))
        let found = present.union(before)
        return RecoveryReport(
            adopted: wanted.intersection(found), missing: wanted.subtracting(found), orphaned: found.subtracting(wanted)
        )
    }

    /// Waits until the running instances of a workload have an endpoint again.
    private func takenOver(_ spec: WorkloadSpec, _ running: Set<InstanceID>) async {
        let events = publisher.events()
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                for await snapshot in events {
                    let instances = snapshot.workloads[spec.id]?.instances ?? []
                    let isPlaced = instances.allSatisfy { $0.incarnation != nil || $0.phase == .backingOff }
                    let isComplete = running.allSatisfy { id in
                        id.workload != spec.id || instances.contains { $0.id == id }
                    }
                    if isPlaced, isComplete { return }
                }
            }
            group.addTask { try? await Task.sleep(for: Self.takeOverPatience) }
            await group.next()
            group.cancelAll()
        }
    }

    /// Makes `spec` the desired state of its workload.
    public func apply(_ spec: WorkloadSpec) async throws(RuntimeError) -> ApplyOutcome {
        try validate(spec)
        guard let units = launcher.units, supervisor.status(of: spec.id) == nil else {
            return try await supervisor.apply(spec)
        }
        // Of a time when this driver did not run, or the supervisor would know of them.
        let heritage = try await units.heritage(of: spec)
        do throws(RuntimeError) {
            let outcome = try await supervisor.apply(spec, inheriting: heritage)
            if outcome != .created { for life in heritage { units.claims.giveBack(life.name) } }
            return outcome
        } catch {
            for life in heritage { units.claims.giveBack(life.name) }
            throw error
        }
    }

    /// Ends a workload and deletes its logs.
    ///
    /// What the journal holds of a unit stays in it, and is not found by name any more.
    public func remove(_ id: WorkloadID, gracePeriod: Duration) async throws(RuntimeError) {
        try await supervisor.remove(id, gracePeriod: gracePeriod)
        try await launcher.units?.end(id, grace: gracePeriod)
    }

    /// Parks an instance: its process ends, and its logs stay.
    public func park(_ instance: InstanceID, incarnation: Incarnation) async throws(RuntimeError) {
        supervisor.park(instance, incarnation: incarnation)
    }

    /// Starts an instance that is parked.
    public func wake(_ instance: InstanceID) async throws(RuntimeError) { supervisor.wake(instance) }

    /// Stops a draining instance that has no sessions any more.
    public func release(_ instance: InstanceID, incarnation: Incarnation) async {
        supervisor.release(instance, incarnation: incarnation)
    }

    /// What is known of the workload now, with what the processes of each instance use.
    public func status(of id: WorkloadID) async throws(RuntimeError) -> WorkloadStatus {
        guard var status = supervisor.status(of: id) else {
            throw RuntimeError(.notFound, "there is no such workload", workload: id)
        }
        usage.measure(&status)
        return status
    }

    /// The state of all workloads, and each newer one.
    public func observe() -> RuntimeEvents { publisher.events() }

    /// What an instance wrote on its standard output and error.
    public func logs(of instance: InstanceID, options: LogOptions) async throws(RuntimeError) -> LogStream {
        let stream: LogStream? =
            if let units = launcher.units {
                try units.logs.log(of: instance, options, now: .now)
            } else {
                archive.log(of: instance, previous: options.previous).map {
                    LogReader($0, options: options, now: .now).stream
                }
            }
        guard let stream else {
            let what = options.previous ? "\(instance) has no previous log" : "there is no log of \(instance)"
            throw RuntimeError(.notFound, what, workload: instance.workload)
        }
        return stream
    }
}
