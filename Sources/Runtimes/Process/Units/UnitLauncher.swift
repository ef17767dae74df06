// SPDX-License-Identifier: MIT

import Glibc
import Logging
import NIOCore
import RuntimeContract
import Spawn
import Supervision
import Systemd

/// Runs each life as a transient unit of systemd, which outlives this process; a unit that runs already what is wanted is
/// taken over and not started again.
struct UnitLauncher: Launcher {
    let configuration: ProcessRuntimeConfiguration
    let units: UnitConfiguration
    let manager: SystemdManager
    let group: any EventLoopGroup
    let logger: Logger
    let names: UnitName
    /// The secret of the state directory.
    let owner: String
    let logs: UnitLogs
    let usage: LifeUsage
    let claims = UnitClaims()
    let ports = LoopbackPorts.shared

    var livesOutliveSupervisor: Bool { units.keepsInstances }

    func run(_ life: Life, reports: LifeReports, stop: StopSignal) async -> LifeEnd {
        let running: RunningUnit
        do throws(LaunchFailure) {
            if let inherited = life.inherited {
                running = try await inherit(inherited, life)
            } else if let found = try await takeOver(life) {
                running = found
            } else {
                running = try await start(life)
            }
        } catch {
            if let inherited = life.inherited { claims.giveBack(inherited) }
            logger.warning("instance can't be started", metadata: metadata(life, ["error": "\(error.message)"]))
            return .startFailed(error.message)
        }
        let unit = running.unit
        defer {
            usage.ended(Incarnation(running.invocation))
            claims.giveBack(unit)
            giveBack(running.plan.endpoint)
        }
        usage.began(Incarnation(running.invocation), .group(running.mainProcess))
        reports.placed(
            Incarnation(running.invocation), endpoint: running.plan.endpoint, isTakenOver: running.isTakenOver)
        let follower = UnitFollower(manager, unit)
        let ending = UnitEnding(unit: unit, manager: manager, onlyMain: running.isBridged, loop: group.any())
        stop.onRequest { grace in ending.ask(grace: grace) }
        stop.onLetGo { follower.interrupt() }
        let (state, hasTimedOut) = await withTaskGroup(of: Bool.self) { tasks in
            tasks.addTask {
                await ReadinessWatch(group: group, plan: running.plan, readiness: life.spec.readiness)
                    .run(reports, stop: stop) { manager.signal(unit, SIGKILL) }
            }
            let state = await waitForEnd(of: running, follower, stop)
            tasks.cancelAll()
            return (state, await tasks.next() ?? false)
        }
        ending.finish()
        // Let go: the unit stays, and the next gateway finds it.
        guard let state else { return .exited("let go") }
        logs.ended(life.instance, running.invocation)
        await manager.forget(unit)
        let end = Self.words(state, running.invocation)
        logger.info("instance ended", metadata: metadata(life, ["unit": "\(unit)", "status": "\(end)"]))
        if hasTimedOut {
            let limit = life.spec.readiness.startupTimeout / .milliseconds(1)
            return .startupTimedOut("no answer at \(running.plan.endpoint) within \(Int(limit)) ms")
        }
        return .exited(end)
    }

    /// Waits for the unit's end; `nil` when it is let go.
    private func waitForEnd(of running: RunningUnit, _ follower: UnitFollower, _ stop: StopSignal) async -> UnitState? {
        let isOver = { @Sendable (state: UnitState) in state.hasEnded || state.invocation != running.invocation }
        let state = await follower.wait(
            until: { isOver($0) || ($0.mainHasEnded && !stop.isRequested) }, unless: { stop.isLetGo })
        guard let state, !isOver(state) else { return state }
        // A server that died by itself has left processes behind, which could hold up the unit's end, and with it what its
        // clients are told, for the whole grace period.
        manager.signal(running.unit, SIGKILL)
        return await follower.wait(until: isOver, unless: { stop.isLetGo })
    }

    func canRun(_ newer: WorkloadSpec, beside older: WorkloadSpec) -> Bool {
        LaunchPlan.fixedPort(newer).map { $0 != LaunchPlan.fixedPort(older) } ?? true
    }

    func forget(_ workload: WorkloadID) { logs.forget(workload) }

    // MARK: - Start

    private struct LaunchFailure: Error {
        let message: String
    }

    private struct RunningUnit {
        let unit: String
        let plan: LaunchPlan
        let invocation: String
        let mainProcess: Int32
        let isTakenOver: Bool
        let isBridged: Bool
    }

    /// Takes over a unit of the instance that runs what is wanted and is nobody's, if there is one.
    private func takeOver(_ life: Life) async throws(LaunchFailure) -> RunningUnit? {
        let fingerprint = LaunchMark.fingerprint(life.spec, try resolve(life.spec), key: owner)
        for slot in UnitName.slots {
            let unit = names.unit(life.instance, slot: slot)
            guard claims.take(unit) else { continue }
            var isTaken = false
            defer { if !isTaken { claims.giveBack(unit) } }
            let state = try await call { () throws(SystemdError) in try await manager.state(of: unit) }
            guard state.active == "active", !state.invocation.isEmpty,
                let mark = LaunchMark(environment: state.environment), mark.fingerprint == fingerprint
            else { continue }
            let adopted = try await adopt(unit, life, state, mark)
            isTaken = true
            return adopted
        }
        return nil
    }

    /// Takes over a unit that runs something else, until its successor is ready; it is claimed already.
    private func inherit(_ unit: String, _ life: Life) async throws(LaunchFailure) -> RunningUnit {
        let state = try await call { () throws(SystemdError) in try await manager.state(of: unit) }
        guard state.active == "active", !state.invocation.isEmpty,
            let mark = LaunchMark(environment: state.environment)
        else { throw LaunchFailure(message: "\(unit) has ended") }
        return try await adopt(unit, life, state, mark)
    }

    private func adopt(
        _ unit: String, _ life: Life, _ state: UnitState, _ mark: LaunchMark
    ) async throws(LaunchFailure) -> RunningUnit {
        do throws(SystemdError) {
            try await manager.hold(unit)
        } catch  where error.code == .refused {
            // A unit whose file the manager can't read any more runs none the less; only how it ends is not known then.
        } catch {
            throw LaunchFailure(message: error.message)
        }
        if case .tcp(_, let port) = mark.endpoint { ports.reserve(port) }
        let earlier = await JournalReader.invocations(of: unit, manager.scope, maximum: 2)
        logs.began(life.instance, unit, state.invocation, mark.logName, earlier: earlier.reversed())
        logger.info(
            "instance taken over", metadata: metadata(life, ["unit": "\(unit)", "endpoint": "\(mark.endpoint)"]))
        return RunningUnit(
            unit: unit, plan: plan(try resolve(life.spec), life.spec, mark.endpoint), invocation: state.invocation,
            mainProcess: Int32(clamping: state.mainProcess), isTakenOver: true, isBridged: mark.isBridged)
    }

    /// A name for a new life: one that no unit has any more.
    private func claimName(_ instance: InstanceID) async throws(LaunchFailure) -> String {
        for slot in UnitName.slots {
            let unit = names.unit(instance, slot: slot)
            guard claims.take(unit) else { continue }
            do throws(LaunchFailure) {
                let state = try await call { () throws(SystemdError) in try await manager.state(of: unit) }
                if !state.isLoaded { return unit }
                if let mark = LaunchMark(environment: state.environment), case .unix(let path) = mark.endpoint {
                    unlink(path)
                }
                // Of a time before this process, and nobody's: one that runs what is wanted was taken over.
                await UnitEnding.end(unit, manager, grace: .zero)
                return unit
            } catch {
                claims.giveBack(unit)
                throw error
            }
        }
        throw LaunchFailure(message: "there are too many units of \(instance)")
    }

    private func start(_ life: Life) async throws(LaunchFailure) -> RunningUnit {
        let resolved = try resolve(life.spec)
        let endpoint = try endpoint(resolved, life)
        var isStarted = false
        defer { if !isStarted { giveBack(endpoint) } }
        let unit = try await claimName(life.instance)
        defer { if !isStarted { claims.giveBack(unit) } }
        let plan = plan(resolved, life.spec, endpoint)
        let path: String
        do throws(SpawnError) {
            path = try ExecutableSearch.find(plan.executable, path: plan.environment["PATH"]?.exposed)
        } catch {
            throw LaunchFailure(message: error.message)
        }
        guard path.hasPrefix("/") else {
            throw LaunchFailure(message: "the path of the program is not absolute: \(path)")
        }
        let mark = LaunchMark(
            life.instance, fingerprint: LaunchMark.fingerprint(life.spec, resolved, key: owner), endpoint: endpoint)
        let file = "\(units.runtimeDirectory)/\(life.instance)-\(life.number).env"
        guard DirectoryTree.make(units.runtimeDirectory), EnvironmentFile.write(plan.environment, to: file) else {
            throw LaunchFailure(message: "\(file) can't be written: \(String(cString: strerror(errno)))")
        }
        defer { unlink(file) }
        let properties = UnitProperties.of(
            (life.instance, life.spec), plan, executable: path, mark: mark, environmentFile: file,
            sandbox: units.sandbox)
        let follower = UnitFollower(manager, unit)
        try await call { () throws(SystemdError) in try await manager.start(unit, properties) }
        guard
            let state = await follower.wait(until: {
                $0.active == "active" || ($0.hasEnded && !$0.result.isEmpty && !$0.invocation.isEmpty)
            }), !state.invocation.isEmpty
        else { throw LaunchFailure(message: "\(unit) did not start") }
        if state.hasEnded, let message = Self.startFailure(state, plan) {
            await manager.forget(unit)
            throw LaunchFailure(message: message)
        }
        isStarted = true
        logs.began(life.instance, unit, state.invocation, mark.logName)
        logger.info(
            "instance started", metadata: metadata(life, ["unit": "\(unit)", "endpoint": "\(endpoint)"]))
        return RunningUnit(
            unit: unit, plan: plan, invocation: state.invocation,
            mainProcess: Int32(clamping: state.mainProcess), isTakenOver: false, isBridged: mark.isBridged)
    }

    private func resolve(_ spec: WorkloadSpec) throws(LaunchFailure) -> LaunchPlan.Resolved {
        do throws(RuntimeError) {
            return try LaunchPlan.resolve(spec, configuration.catalogue)
        } catch {
            throw LaunchFailure(message: error.message)
        }
    }

    private func endpoint(_ resolved: LaunchPlan.Resolved, _ life: Life) throws(LaunchFailure) -> Endpoint {
        if resolved.transport == .stdio {
            guard configuration.bridgeExecutable != nil, DirectoryTree.make(units.runtimeDirectory) else {
                throw LaunchFailure(message: "no socket can be made for the bridge")
            }
            let name = String(UInt64.random(in: 0 ... .max), radix: 36)
            return .unix(path: "\(units.runtimeDirectory)/\(name).sock")
        }
        guard let port = LaunchPlan.fixedPort(life.spec) ?? ports.take() else {
            throw LaunchFailure(message: "no port of \(LaunchPlan.host) is free")
        }
        return .tcp(host: LaunchPlan.host, port: port)
    }

    private func plan(_ resolved: LaunchPlan.Resolved, _ spec: WorkloadSpec, _ endpoint: Endpoint) -> LaunchPlan {
        if case .unix(let socket) = endpoint {
            return LaunchPlan(
                bridged: resolved, spec: spec, base: configuration.baseEnvironment,
                bridge: configuration.bridgeExecutable ?? "", socket: socket)
        }
        guard case .tcp(_, let port) = endpoint else { preconditionFailure("instances of this machine have no TLS") }
        return LaunchPlan(server: resolved, spec: spec, base: configuration.baseEnvironment, port: port)
    }

    private func giveBack(_ endpoint: Endpoint) {
        guard case .tcp(_, let port) = endpoint else { return }
        ports.giveBack(port)
    }

    // MARK: - Small things

    /// `si_code` of waitid(2).
    private static let (exited, killed, dumped): (Int32, Int32, Int32) = (1, 2, 3)

    private func call<T>(_ body: () async throws(SystemdError) -> T) async throws(LaunchFailure) -> T {
        do throws(SystemdError) {
            return try await body()
        } catch {
            throw LaunchFailure(message: error.message)
        }
    }

    private func metadata(_ life: Life, _ more: Logger.Metadata) -> Logger.Metadata {
        more.merging(["instance": "\(life.instance)", "generation": "\(life.spec.generation)"]) { first, _ in first }
    }

    /// Why a unit whose start was asked for has ended without having run the program; `nil` if it did run.
    private static func startFailure(_ state: UnitState, _ plan: LaunchPlan) -> String? {
        // Codes of systemd's own (systemd.exec(5), "Process Exit Codes"): the program was never executed.
        switch state.exitStatus {
        case 200 where state.exitCode == Self.exited: "can't enter the working directory \(plan.workingDirectory ?? "")"
        case 203 where state.exitCode == Self.exited: "can't execute \(plan.executable)"
        case 226 where state.exitCode == Self.exited: "this machine does not allow the sandbox (NAMESPACE)"
        default: state.result == "resources" ? "the manager has no resources for it" : nil
        }
    }

    private static func words(_ state: UnitState, _ invocation: String) -> String {
        guard state.invocation == invocation else { return "unknown exit status" }
        if state.result == "oom-kill" { return "killed for want of memory" }
        return switch state.exitCode {
        case Self.exited: ExitStatus.exited(code: state.exitStatus).description
        case Self.killed: ExitStatus.signalled(state.exitStatus, dumpedCore: false).description
        case Self.dumped: ExitStatus.signalled(state.exitStatus, dumpedCore: true).description
        default: ExitStatus.unknown.description
        }
    }
}
