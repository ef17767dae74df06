// SPDX-License-Identifier: MIT

internal import Glibc
internal import Logging
internal import RuntimeContract
internal import Spawn

/// Keeps one instance running until it is no longer wanted: carries out what ``InstanceMachine`` decides.
///
/// ``run()`` is the life of the instance and is called once; the other members may be called at any time.
actor InstanceSupervisor {
    private enum Event: Sendable {
        case begin
        case probed(Bool, attempt: Int)
        case startupTimedOut(attempt: Int)
        case exited(ExitStatus, attempt: Int)
        case removal(gracePeriod: Duration)
        case killTime(attempt: Int)
    }

    nonisolated let id: InstanceID
    /// What it runs.
    nonisolated let spec: WorkloadSpec
    nonisolated let log: InstanceLog

    private let configuration: ProcessRuntimeConfiguration
    private let sockets: String
    private let logger: Logger
    private let changed: @Sendable (InstanceStatus) -> Void
    private let events: AsyncStream<Event>
    private let send: AsyncStream<Event>.Continuation
    private var machine: InstanceMachine
    private var child: ChildProcess?
    private var endpoint: Endpoint?
    private var incarnation: Incarnation?
    /// Counts starts, so that what is heard of an earlier process is not taken for the present one's.
    private var attempt = 0
    private var random = SystemRandomNumberGenerator()

    /// - Parameter changed: Called with every new status, in order; must not block.
    init(
        id: InstanceID, spec: WorkloadSpec, log: InstanceLog, configuration: ProcessRuntimeConfiguration,
        sockets: String,
        logger: Logger, changed: @escaping @Sendable (InstanceStatus) -> Void
    ) {
        self.id = id
        self.spec = spec
        self.log = log
        self.configuration = configuration
        self.sockets = sockets
        self.logger = logger
        self.changed = changed
        machine = InstanceMachine(backoff: configuration.backoff, failureThreshold: spec.readiness.failureThreshold)
        // Events come from one process, one timer and one prober at a time, and from removals, of which the first
        // counts: 64 are never reached.
        (events, send) = AsyncStream.makeStream(of: Event.self, bufferingPolicy: .bufferingOldest(64))
    }

    /// Asks the instance to stop; it is killed after `gracePeriod`. Idempotent; ``run()`` returns when it is gone.
    nonisolated func remove(gracePeriod: Duration) {
        send.yield(.removal(gracePeriod: gracePeriod))
    }

    /// Lives until the instance was removed and its process has ended. Cancellation removes it with its grace period.
    func run() async {
        await withTaskGroup(of: Void.self) { tasks in
            send.yield(.begin)
            report()
            let grace = spec.gracePeriod
            await withTaskCancellationHandler {
                for await event in events {
                    handle(event, &tasks)
                    report()
                    if machine.isOver { break }
                }
                // A cancelled task gets no more events, but the process must be gone before this returns.
                if let child, child.exitStatus == nil { await stopNow(child, grace: grace) }
            } onCancel: {
                remove(gracePeriod: grace)
            }
            tasks.cancelAll()
        }
        if case .unix(let path) = endpoint { unlink(path) }
        endpoint = nil
        log.finish()
    }

    private func stopNow(_ child: ChildProcess, grace: Duration) async {
        child.signalGroup(SIGTERM)
        // A task of its own, because this one is cancelled and could not wait. Ends with the process.
        let killer = Task {
            try await Task.sleep(for: grace)
            child.signalGroup(SIGKILL)
        }
        _ = await child.waitForExit()
        killer.cancel()
        _ = machine.removalRequested()
        _ = machine.exited(child.exitStatus ?? .exited(code: 0), at: .now, using: &random)
        report()
    }

    private func handle(_ event: Event, _ tasks: inout TaskGroup<Void>) {
        switch event {
        case .begin: carryOut(machine.begin(), &tasks)
        case .probed(let isAnswered, attempt): carryOut(machine.probed(isAnswered, at: .now), &tasks)
        case .startupTimedOut(attempt):
            carryOut(machine.startupTimedOut(after: spec.readiness.startupTimeout), &tasks)
        case .exited(let status, attempt):
            child = nil
            endpoint = nil
            logger.info("instance ended", metadata: ["instance": "\(id)", "status": "\(status)"])
            carryOut(machine.exited(status, at: .now, using: &random), &tasks)
        case .removal(let grace):
            let action = machine.removalRequested()
            if action == .stop, let child {
                child.signalGroup(SIGTERM)
                after(grace, send: .killTime(attempt: attempt), &tasks)
            } else {
                carryOut(action, &tasks)
            }
        case .killTime(attempt): child?.signalGroup(SIGKILL)
        case .probed, .startupTimedOut, .exited, .killTime: break
        }
    }

    private func carryOut(_ action: InstanceMachine.Action, _ tasks: inout TaskGroup<Void>) {
        switch action {
        case .none, .stop, .finish: break
        case .kill: child?.signalGroup(SIGKILL)
        case .restart(let delay): after(delay, send: .begin, &tasks)
        case .start: start(&tasks)
        }
    }

    private func start(_ tasks: inout TaskGroup<Void>) {
        attempt += 1
        let attempt = attempt
        let launch: InstanceLaunch
        do {
            launch = try InstanceLaunch(spec, instance: id, configuration: configuration, sockets: sockets)
        } catch {
            return carryOut(machine.startFailed(error.message, using: &random), &tasks)
        }
        let child: ChildProcess
        do {
            child = try launch.start(limits: spec.limits, log: log)
        } catch {
            logger.warning("instance can't be started", metadata: ["instance": "\(id)", "error": "\(error)"])
            return carryOut(machine.startFailed(error.message, using: &random), &tasks)
        }
        self.child = child
        endpoint = launch.endpoint
        incarnation = ProcessIncarnation.of(child.pid)
        machine.started(at: .now)
        child.onExit { [send] status in send.yield(.exited(status, attempt: attempt)) }
        after(spec.readiness.startupTimeout, send: .startupTimedOut(attempt: attempt), &tasks)
        let probe = spec.readiness
        let target = launch.endpoint
        tasks.addTask { [send] in
            await Self.probe(target, probe, until: { child.exitStatus != nil }) { isAnswered in
                send.yield(.probed(isAnswered, attempt: attempt))
            }
        }
    }

    /// Probes quickly until the first answer, then at the steady pace, until the process has ended.
    private static func probe(
        _ endpoint: Endpoint, _ probe: ReadinessProbe, until isOver: () -> Bool, tell: (Bool) -> Void
    ) async {
        var pause = Duration.milliseconds(10)
        while !Task.isCancelled, !isOver() {
            if await HTTPProbe.isAnswered(endpoint, timeout: probe.timeout) { break }
            try? await Task.sleep(for: pause)
            pause = min(pause * 1.5, .milliseconds(250))
        }
        tell(true)
        while (try? await Task.sleep(for: probe.period)) != nil, !isOver() {
            tell(await HTTPProbe.isAnswered(endpoint, timeout: probe.timeout))
        }
    }

    private func after(_ delay: Duration, send event: Event, _ tasks: inout TaskGroup<Void>) {
        tasks.addTask { [send] in
            if (try? await Task.sleep(for: delay)) != nil { send.yield(event) }
        }
    }

    private func report() {
        let showsEndpoint: Bool =
            switch machine.phase {
            case .ready, .unready, .draining, .unknown: true
            case .pending, .starting, .backingOff, .stopped: false
            }
        changed(
            InstanceStatus(
                id: id, incarnation: incarnation, generation: spec.generation, phase: machine.phase,
                reason: machine.reason, endpoint: showsEndpoint ? endpoint : nil, restarts: machine.restarts))
    }
}
