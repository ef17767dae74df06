// SPDX-License-Identifier: MIT

internal import Logging
internal import Metrics
internal import Model
internal import Observability
internal import RuntimeContract
internal import Synchronization

/// Parks the instances of adapters that nobody uses, all of an adapter together, and wakes them for the next request.
///
/// An instance is in use while a request or a stream goes to it, and while it has a session that would be lost with it:
/// where sessions are begun anew (``SessionRecovery/reinitialize``) they don't count. Requests are stopped first, at one
/// moment for all event loops, so that none is cut off. With a ``Budget`` it also parks to make room for others.
struct ParkingWatch: Sendable {
    /// An adapter that nobody uses at this moment, all of whose instances are ready or parked.
    struct Candidate {
        let route: AdapterRoute
        let lives: [(life: IdleTimes.Life, use: InstanceUse)]
        /// For how long nobody has used any of them.
        let idleFor: Duration

        var workload: WorkloadID { route.name.workload }
    }

    /// Why something is parked.
    enum Cause: String {
        case idle
        case budget

        var words: String {
            switch self {
            case .idle: "instance parked: nobody used it"
            case .budget: "instance parked: nobody used it, and the budget needs the room"
            }
        }
    }

    let driver: any RuntimeDriver
    let projection: Projection
    let gate: StartGate
    let clock: any Clock<Duration>
    let logger: Logger
    /// Has a workload started that was held.
    let start: @Sendable (WorkloadID) -> Void
    let elapsed: @Sendable () -> Duration
    private let traffic: (any InstanceTraffic)?
    private let wakes = Counter(label: MetricName.wakes.rawValue)
    private let wanted = Wanted()

    private final class Wanted: Sendable {
        private let workloads = Mutex<Set<WorkloadID>>([])

        /// Whether it was not there yet.
        func insert(_ workload: WorkloadID) -> Bool { workloads.withLock { $0.insert(workload).inserted } }

        func take() -> Set<WorkloadID> {
            workloads.withLock { workloads in
                defer { workloads = [] }
                return workloads
            }
        }
    }

    /// The shortest and the longest time between two looks; between them a tenth of the time after which is parked.
    private static let periods = Duration.milliseconds(100)...Duration.seconds(10)

    init(
        driver: any RuntimeDriver, projection: Projection, gate: StartGate, traffic: (any InstanceTraffic)?,
        clock: any Clock<Duration>, logger: Logger, start: @escaping @Sendable (WorkloadID) -> Void
    ) {
        self.driver = driver
        self.projection = projection
        self.gate = gate
        self.traffic = traffic
        self.clock = clock
        self.logger = logger
        self.start = start
        elapsed = Self.stopwatch(clock)
    }

    /// Something of the runtime has changed.
    func look() { gate.signal.ring() }

    /// A request waits for an instance of `workload`.
    func want(_ workload: WorkloadID) {
        if wanted.insert(workload) { gate.signal.ring() }
    }

    /// Watches until the task is cancelled.
    func run() async {
        guard driver.capabilities.parking, let traffic else { return }
        var times = IdleTimes()
        var budgeting = Budgeting()
        while !Task.isCancelled {
            let routes = gate.budget.isLimited ? projection.routes : projection.parking
            var pause = routes.compactMap(\.parkAfter).min().map {
                min(max($0 / 10, Self.periods.lowerBound), Self.periods.upperBound)
            }
            if gate.budget.isLimited {
                let due = await keepBudget(wanted.take(), unused(routes, traffic, &times), traffic, &budgeting)
                pause = min(pause ?? due, due)
            } else {
                for workload in wanted.take() { await wake(workload) }
            }
            for candidate in unused(routes, traffic, &times) {
                // Who is wanted meanwhile is woken with the next turn.
                if Task.isCancelled { return }
                guard let limit = candidate.route.parkAfter, candidate.idleFor >= limit else { continue }
                _ = await park(candidate, traffic, .idle)
            }
            await gate.signal.wait(atMost: pause, clock: clock)
        }
    }

    // MARK: - Parking

    /// The adapters that nobody uses now and whose instances are all up.
    private func unused(
        _ routes: [AdapterRoute], _ traffic: any InstanceTraffic, _ times: inout IdleTimes
    ) -> [Candidate] {
        let (snapshot, now) = (projection.snapshot, elapsed())
        var known: Set<IdleTimes.Life> = []
        var found: [Candidate] = []
        for route in routes {
            guard let status = snapshot.workloads[route.name.workload] else { continue }
            var lives: [(life: IdleTimes.Life, use: InstanceUse)] = []
            var idleFor: Duration?
            var isUnused = true
            for instance in status.instances where instance.phase != .parked {
                guard instance.phase == .ready, let incarnation = instance.incarnation,
                    let use = traffic.use(of: instance.id, incarnation)
                else {
                    isUnused = false
                    continue
                }
                let life = IdleTimes.Life(instance: instance.id, incarnation: incarnation)
                known.insert(life)
                var counted = use
                if route.recovery == .reinitialize { counted.sessions = 0 }
                let time = times.look(at: life, counted, now: now)
                if counted.requests > 0 || counted.sessions > 0 { isUnused = false }
                // What ran before this gateway may have sessions that it has not heard of.
                if instance.isTakenOver, time < route.sessionIdleTimeout { isUnused = false }
                idleFor = min(idleFor ?? time, time)
                lives.append((life, use))
            }
            guard isUnused, let idleFor else { continue }
            found.append(Candidate(route: route, lives: lives, idleFor: idleFor))
        }
        times.forget(allBut: known)
        return found
    }

    /// Stops the instances of an adapter, unless somebody comes at the last moment.
    ///
    /// - Returns: whether none of them runs on.
    func park(_ candidate: Candidate, _ traffic: any InstanceTraffic, _ cause: Cause) async -> Bool {
        if candidate.route.recovery == .reinitialize {
            let holdsSessions = candidate.lives.contains {
                traffic.wouldLoseSessions(of: $0.life.instance, $0.life.incarnation)
            }
            if holdsSessions { return false }
        }
        for (index, (life, use)) in candidate.lives.enumerated()
        where !traffic.close(life.instance, life.incarnation, since: use) {
            for (closed, _) in candidate.lives[..<index] { traffic.reopen(closed.instance, closed.incarnation) }
            return false
        }
        var isDone = true
        for (life, _) in candidate.lives {
            let about: Logger.Metadata = [LogKey.instance: "\(life.instance)"]
            do {
                try await driver.park(life.instance, incarnation: life.incarnation)
                // A driver that knew better has left it as it was.
                let status = try await driver.status(of: life.instance.workload)
                if status.instances.contains(where: { $0.incarnation == life.incarnation && $0.phase == .ready }) {
                    traffic.reopen(life.instance, life.incarnation)
                    isDone = false
                    continue
                }
                Counter(label: MetricName.parks.rawValue, dimensions: [("cause", cause.rawValue)]).increment()
                logger.info("\(cause.words)", metadata: about)
            } catch {
                traffic.reopen(life.instance, life.incarnation)
                isDone = false
                logger.warning(
                    "instance can't be parked", metadata: about.merging(["error": "\(error.message)"]) { $1 })
            }
        }
        return isDone
    }

    // MARK: - Waking

    /// Starts the parked instances of a workload.
    func wake(_ workload: WorkloadID) async {
        // Asked of the driver: what was parked a moment ago may be shown as ready still.
        guard let status = try? await driver.status(of: workload) else { return }
        for instance in status.instances where instance.phase == .parked {
            let about: Logger.Metadata = [LogKey.instance: "\(instance.id)"]
            do {
                try await driver.wake(instance.id)
                wakes.increment()
                logger.info("instance woken: a request waits for it", metadata: about)
            } catch {
                logger.warning(
                    "instance can't be woken", metadata: about.merging(["error": "\(error.message)"]) { $1 })
            }
        }
    }

    private static func stopwatch(_ clock: some Clock<Duration>) -> @Sendable () -> Duration {
        let start = clock.now
        return { start.duration(to: clock.now) }
    }
}
