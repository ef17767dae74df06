// SPDX-License-Identifier: MIT

import Glibc
import Logging
import NIOCore
import RuntimeContract
import Spawn
import Supervision

/// Runs each life as a child process of this one.
struct ProcessLauncher: Launcher {
    let configuration: ProcessRuntimeConfiguration
    let group: any EventLoopGroup
    let logger: Logger
    let archive: LogArchive
    let sockets: SocketDirectory
    let ledger: SpawnLedger
    let usage: LifeUsage
    let groups: LifeGroups
    let ports = LoopbackPorts.shared

    /// Tells the lives of this process apart from those of another one.
    private static let run = String(UInt64.random(in: 0 ... .max), radix: 36)
    let livesOutliveSupervisor = false

    func run(_ life: Life, reports: LifeReports, stop: StopSignal) async -> LifeEnd {
        let plan: LaunchPlan
        do throws(RuntimeError) {
            plan = try self.plan(life)
        } catch {
            return .startFailed(error.message)
        }
        defer { giveBack(plan.endpoint) }
        let log = LogWriter(archive.begin(life.instance))
        let pipes: Pipes
        let child: ChildProcess
        do throws(SpawnError) {
            pipes = try Pipes()
            defer { pipes.closeChildEnds() }
            child = try spawn(plan, life, pipes)
        } catch {
            log.finish()
            logger.warning("instance can't be started", metadata: metadata(life, ["error": "\(error)"]))
            return .startFailed(error.message)
        }
        ledger.began(child)
        defer { ledger.ended(child) }
        let controlGroup = groups.make()
        async let joined: Void = join(child, controlGroup)
        LogPump.shared.read(pipes.output.readEnd, as: .standardOutput, into: log)
        LogPump.shared.read(pipes.error.readEnd, as: .standardError, into: log)
        logger.info(
            "instance started",
            metadata: metadata(life, ["pid": "\(child.pid)", "endpoint": "\(plan.endpoint)"]))
        // A process that ended already has no start time any more; it never answers, so any other name will do.
        let incarnation =
            ProcessIdentity.incarnation(of: child) ?? Incarnation("\(child.pid).\(life.number)")
        usage.began(incarnation, .tree(child.pid, origin(of: life)))
        defer { usage.ended(incarnation) }
        reports.placed(incarnation, endpoint: plan.endpoint)

        let ending = Ending(child: child, input: pipes.input.writeEnd, loop: group.any())
        stop.onRequest { grace in ending.ask(grace: grace) }
        let (status, hasTimedOut) = await withTaskGroup(of: Bool.self) { tasks in
            tasks.addTask {
                await ReadinessWatch(group: group, plan: plan, readiness: life.spec.readiness)
                    .run(reports, stop: stop) { child.signalGroup(SIGKILL) }
            }
            let status = await child.waitForExit()
            tasks.cancelAll()
            return (status, await tasks.next() ?? false)
        }
        ending.finish()
        await joined
        if let controlGroup { LifeGroups.end(controlGroup) }
        await LogPump.shared.finish([pipes.output.readEnd, pipes.error.readEnd], of: log)
        logger.info("instance ended", metadata: metadata(life, ["pid": "\(child.pid)", "status": "\(status)"]))
        if hasTimedOut {
            return .startupTimedOut(
                "no answer at \(plan.endpoint) within \(Self.words(life.spec.readiness.startupTimeout))")
        }
        return .exited(status.description)
    }

    func canRun(_ newer: WorkloadSpec, beside older: WorkloadSpec) -> Bool {
        LaunchPlan.fixedPort(newer).map { $0 != LaunchPlan.fixedPort(older) } ?? true
    }

    func forget(_ workload: WorkloadID) { archive.forget(workload) }

    // MARK: - Start

    private func plan(_ life: Life) throws(RuntimeError) -> LaunchPlan {
        let spec = life.spec
        let resolved = try LaunchPlan.resolve(spec, configuration.catalogue)
        if resolved.transport == .stdio {
            guard let bridge = configuration.bridgeExecutable, let socket = sockets.path(life: life.number) else {
                throw RuntimeError(.failed, "no socket can be made for the bridge", workload: spec.id)
            }
            return LaunchPlan(
                bridged: resolved, spec: spec, base: configuration.baseEnvironment, bridge: bridge, socket: socket)
        }
        guard let port = LaunchPlan.fixedPort(spec) ?? ports.take() else {
            throw RuntimeError(.failed, "no port of \(LaunchPlan.host) is free", workload: spec.id)
        }
        return LaunchPlan(server: resolved, spec: spec, base: configuration.baseEnvironment, port: port)
    }

    private func giveBack(_ endpoint: Endpoint) {
        switch endpoint {
        case .tcp(_, let port): ports.giveBack(port)
        case .unix(let path): sockets.remove(path)
        case .tls: break
        }
    }

    private func spawn(_ plan: LaunchPlan, _ life: Life, _ pipes: Pipes) throws(SpawnError) -> ChildProcess {
        do throws(SpawnError) {
            return try ChildProcess.spawn(
                executable: plan.executable,
                arguments: plan.arguments,
                environment: plan.environment.mapValues(\.exposed),
                workingDirectory: plan.workingDirectory,
                stdin: pipes.input.readEnd,
                stdout: pipes.output.writeEnd,
                stderr: pipes.error.writeEnd,
                limits: SpawnLimits(openFiles: life.spec.limits.openFiles),
                origin: origin(of: life))
        } catch {
            pipes.closeOwnEnds()
            throw error
        }
    }

    private func join(_ child: ChildProcess, _ group: ControlGroup?) async {
        if let group { groups.join(child, group) }
    }

    private func origin(of life: Life) -> Origin {
        ledger.owner.appending("\(life.instance).\(life.number).\(Self.run)")
    }

    // MARK: - Small things

    private func metadata(_ life: Life, _ more: Logger.Metadata) -> Logger.Metadata {
        more.merging(["instance": "\(life.instance)", "generation": "\(life.spec.generation)"]) { first, _ in first }
    }

    private static func words(_ duration: Duration) -> String {
        let milliseconds = Int(duration / .milliseconds(1))
        return milliseconds % 1000 == 0 ? "\(milliseconds / 1000) s" : "\(milliseconds) ms"
    }
}
