// SPDX-License-Identifier: MIT

import RuntimeContract
import Supervision
import Synchronization

/// Runs lives that are nothing but a task that waits.
final class MemoryLauncher: Launcher {
    let livesOutliveSupervisor = false
    private struct State {
        var ends: [InstanceID: LifeTime] = [:]
        /// The newest log last; at most two per instance.
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
            state.ends[life.instance] = time
            state.logs[life.instance, default: []].append(log)
            state.logs[life.instance] = state.logs[life.instance]?.suffix(2)
        }
        defer {
            log.end()
            state.withLock { state in
                if state.ends[life.instance] === time { state.ends[life.instance] = nil }
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

    func forget(_ workload: WorkloadID) {
        state.withLock { state in state.logs = state.logs.filter { $0.key.workload != workload } }
    }

    /// The log of the present or last life, or of the one before.
    func log(of instance: InstanceID, previous: Bool) -> MemoryLog? {
        state.withLock { state in
            guard let logs = state.logs[instance] else { return nil }
            return previous ? (logs.count == 2 ? logs.first : nil) : logs.last
        }
    }

    /// Ends the present life as a crash would; `false` if there is none.
    func kill(_ instance: InstanceID, _ words: String) -> Bool {
        guard let time = state.withLock({ $0.ends[instance] }) else { return false }
        time.end(.exited(words))
        return true
    }

    var runningInstances: Int { state.withLock { $0.ends.count } }

    /// Lets every start fail for this reason, until it is `nil` again.
    func failStarts(_ reason: String?) { state.withLock { $0.failure = reason } }
}
