// SPDX-License-Identifier: MIT

internal import RuntimeContract

/// Releases instances that drain as soon as nobody uses them any more.
struct DrainWatch: Sendable {
    private struct Life: Hashable {
        let instance: InstanceID
        let incarnation: Incarnation
    }

    private let driver: any RuntimeDriver
    private let projection: Projection
    private let isIdle: @Sendable (InstanceID, Incarnation) -> Bool
    private let clock: any Clock<Duration>
    private let signal = WakeSignal()
    private let elapsed: @Sendable () -> Duration

    /// For how long an instance must have been draining: until then a request may be on its way that was placed before
    /// every event loop knew.
    private static let settlingTime = Duration.milliseconds(250)
    /// How often those that are in use are looked at.
    private static let period = Duration.milliseconds(500)

    init(
        driver: any RuntimeDriver, projection: Projection,
        isIdle: @escaping @Sendable (InstanceID, Incarnation) -> Bool, clock: any Clock<Duration>
    ) {
        self.driver = driver
        self.projection = projection
        self.isIdle = isIdle
        self.clock = clock
        elapsed = Self.stopwatch(clock)
    }

    /// Something of the runtime has changed.
    func look() { signal.ring() }

    /// Watches until the task is cancelled.
    func run() async {
        var since: [Life: Duration] = [:]
        while !Task.isCancelled {
            let now = elapsed()
            let draining = Self.draining(projection.snapshot)
            since = since.filter { draining.contains($0.key) }
            for life in draining {
                let first = since[life, default: now]
                since[life] = first
                guard now - first >= Self.settlingTime, isIdle(life.instance, life.incarnation) else { continue }
                // Said again with the next look: a release may be lost.
                await driver.release(life.instance, incarnation: life.incarnation)
            }
            let isNew = since.values.contains { now - $0 < Self.settlingTime }
            let pause = isNew ? Self.settlingTime : Self.period
            await signal.wait(atMost: draining.isEmpty ? nil : pause, clock: clock)
        }
    }

    private static func draining(_ snapshot: RuntimeSnapshot) -> Set<Life> {
        var lives: Set<Life> = []
        for instance in snapshot.workloads.values.lazy.flatMap(\.instances) where instance.phase == .draining {
            if let incarnation = instance.incarnation {
                lives.insert(Life(instance: instance.id, incarnation: incarnation))
            }
        }
        return lives
    }

    private static func stopwatch(_ clock: some Clock<Duration>) -> @Sendable () -> Duration {
        let start = clock.now
        return { start.duration(to: clock.now) }
    }
}
