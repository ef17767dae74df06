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
/// moment for all event loops, so that none is cut off.
struct ParkingWatch: Sendable {
    private let driver: any RuntimeDriver
    private let projection: Projection
    private let traffic: (any InstanceTraffic)?
    private let clock: any Clock<Duration>
    private let logger: Logger
    private let parks = Counter(label: MetricName.parks.rawValue)
    private let wakes = Counter(label: MetricName.wakes.rawValue)
    private let signal = WakeSignal()
    private let wanted = Wanted()
    private let elapsed: @Sendable () -> Duration

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
        driver: any RuntimeDriver, projection: Projection, traffic: (any InstanceTraffic)?,
        clock: any Clock<Duration>, logger: Logger
    ) {
        self.driver = driver
        self.projection = projection
        self.traffic = traffic
        self.clock = clock
        self.logger = logger
        elapsed = Self.stopwatch(clock)
    }

    /// Something of the runtime has changed.
    func look() { signal.ring() }

    /// A request waits for an instance of `workload`.
    func want(_ workload: WorkloadID) {
        if wanted.insert(workload) { signal.ring() }
    }

    /// Watches until the task is cancelled.
    func run() async {
        guard driver.capabilities.parking, let traffic else { return }
        var times = IdleTimes()
        while !Task.isCancelled {
            for workload in wanted.take() { await wake(workload) }
            let routes = projection.parking
            for candidate in idle(routes, traffic, &times) {
                // Who is wanted meanwhile is woken with the next turn.
                if Task.isCancelled { return }
                await park(candidate, traffic)
            }
            let pause = routes.compactMap(\.parkAfter).min().map {
                min(max($0 / 10, Self.periods.lowerBound), Self.periods.upperBound)
            }
            await signal.wait(atMost: pause, clock: clock)
        }
    }

    // MARK: - Parking

    private struct Candidate {
        let route: AdapterRoute
        let lives: [(life: IdleTimes.Life, use: InstanceUse)]
    }

    /// The adapters that nobody has used for as long as they say, all of whose instances are ready.
    private func idle(
        _ routes: [AdapterRoute], _ traffic: any InstanceTraffic, _ times: inout IdleTimes
    ) -> [Candidate] {
        let (snapshot, now) = (projection.snapshot, elapsed())
        var known: Set<IdleTimes.Life> = []
        var found: [Candidate] = []
        for route in routes {
            guard let limit = route.parkAfter, let status = snapshot.workloads[route.name.workload] else { continue }
            var lives: [(life: IdleTimes.Life, use: InstanceUse)] = []
            var isIdle = !status.instances.isEmpty
            for instance in status.instances where instance.phase != .parked {
                guard instance.phase == .ready, let incarnation = instance.incarnation,
                    let use = traffic.use(of: instance.id, incarnation)
                else {
                    isIdle = false
                    continue
                }
                let life = IdleTimes.Life(instance: instance.id, incarnation: incarnation)
                known.insert(life)
                // What ran before this gateway may have sessions that it has not heard of.
                let limit = instance.isTakenOver ? max(limit, route.sessionIdleTimeout) : limit
                var counted = use
                if route.recovery == .reinitialize { counted.sessions = 0 }
                if times.look(at: life, counted, now: now) < limit { isIdle = false }
                lives.append((life, use))
            }
            if isIdle, route.recovery == .reinitialize {
                isIdle = !lives.contains { traffic.wouldLoseSessions(of: $0.life.instance, $0.life.incarnation) }
            }
            if isIdle, !lives.isEmpty { found.append(Candidate(route: route, lives: lives)) }
        }
        times.forget(allBut: known)
        return found
    }

    private func park(_ candidate: Candidate, _ traffic: any InstanceTraffic) async {
        for (index, (life, use)) in candidate.lives.enumerated()
        where !traffic.close(life.instance, life.incarnation, since: use) {
            // Somebody came at the last moment.
            for (closed, _) in candidate.lives[..<index] { traffic.reopen(closed.instance, closed.incarnation) }
            return
        }
        for (life, _) in candidate.lives {
            let about: Logger.Metadata = [LogKey.instance: "\(life.instance)"]
            do {
                try await driver.park(life.instance, incarnation: life.incarnation)
                // A driver that knew better has left it as it was.
                let status = try await driver.status(of: life.instance.workload)
                if status.instances.contains(where: { $0.incarnation == life.incarnation && $0.phase == .ready }) {
                    traffic.reopen(life.instance, life.incarnation)
                    continue
                }
                parks.increment()
                logger.info("instance parked: nobody used it", metadata: about)
            } catch {
                traffic.reopen(life.instance, life.incarnation)
                logger.warning(
                    "instance can't be parked", metadata: about.merging(["error": "\(error.message)"]) { $1 })
            }
        }
    }

    // MARK: - Waking

    private func wake(_ workload: WorkloadID) async {
        // What was parked a moment ago may be shown as ready still; waking leaves alone what is not parked.
        for instance in projection.snapshot.workloads[workload]?.instances ?? [] {
            let about: Logger.Metadata = [LogKey.instance: "\(instance.id)"]
            do {
                try await driver.wake(instance.id)
                guard instance.phase == .parked else { continue }
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
