// SPDX-License-Identifier: MIT

import RuntimeContract
import Supervision
import Synchronization

/// Runs lives that are nothing but a task that waits.
final class MemoryLauncher: Launcher {
    let livesOutliveSupervisor = false
    private struct State {
        /// The newest life last.
        var ends: [InstanceID: [LifeTime]] = [:]
        /// The newest last; those that are written to, and one that ended.
        var logs: [InstanceID: [MemoryLog]] = [:]
        var failure: String?
    }

    private let server: @Sendable (WorkloadSpec, InstanceID) -> SimulatedServer
    private let state = Mutex(State())

    init(server: @escaping @Sendable (WorkloadSpec, InstanceID) -> SimulatedServer) {
        self.server = server
    }

    func run(_ life: Life, reports: LifeReports, stop: StopSignal) async -> LifeEnd {
        if let failure = state.withLock(\.failure) { return .startFailed(failure) }
        let server = server(life.spec, life.instance)
        if case .fails(let reason) = server.startup { return .startFailed(reason) }
        let time = LifeTime()
        let log = MemoryLog()
        state.withLock { state in
            state.ends[life.instance, default: []].append(time)
            let kept = state.logs[life.instance] ?? []
            let ended = kept.filter(\.hasEnded).dropLast()
            state.logs[life.instance] = kept.filter { log in !ended.contains { $0 === log } } + [log]
        }
        defer {
            log.end()
            state.withLock { state in
                state.ends[life.instance]?.removeAll { $0 === time }
            }
        }
        reports.placed(
            Incarnation("memory-\(life.number)"),
            endpoint: server.endpoint ?? .unix(path: "/nowhere/\(life.instance)/\(life.number)"))
        for line in server.logLines { log.append(Array(line.utf8), at: .now) }
        stop.onRequest { grace in
            if server.ignoresTermination, grace > .zero {
                time.end(.exited("killed by SIGKILL (signal 9)"), after: grace)
            } else {
                time.end(.exited("exit code 0"))
            }
        }
        switch server.startup {
        case .succeeds:
            reports.probeSucceeded()
        case .hangs:
            time.end(
                .startupTimedOut("no answer within the time it has to start"), after: life.spec.readiness.startupTimeout
            )
        case .exits(let words):
            time.end(.exited(words))
        case .fails:
            break
        }
        return await time.waitForEnd()
    }

    func canRun(_ newer: WorkloadSpec, beside older: WorkloadSpec) -> Bool { true }

    func forget(_ workload: WorkloadID) {
        state.withLock { state in state.logs = state.logs.filter { $0.key.workload != workload } }
    }

    /// The log of the present or last life, or of the one before.
    func log(of instance: InstanceID, previous: Bool) -> MemoryLog? {
        state.withLock { state in
            guard let logs = state.logs[instance] else { return nil }
            let present = logs.last { !$0.hasEnded } ?? logs.last
            guard previous else { return present }
            let others = logs.filter { $0 !== present }
            return others.last(where: \.hasEnded) ?? others.last
        }
    }

    /// Ends the present life as a crash would; `false` if there is none.
    func kill(_ instance: InstanceID, _ words: String) -> Bool {
        guard let time = state.withLock({ $0.ends[instance]?.last }) else { return false }
        time.end(.exited(words))
        return true
    }

    var runningInstances: Int { state.withLock { $0.ends.values.reduce(0) { $0 + $1.count } } }

    /// Lets every start fail for this reason, until it is `nil` again.
    func failStarts(_ reason: String?) { state.withLock { $0.failure = reason } }
}
