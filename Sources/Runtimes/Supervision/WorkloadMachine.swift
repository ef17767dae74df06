// SPDX-License-Identifier: MIT

package import RuntimeContract

/// Decides what happens to the instances of one workload.
///
/// Pure: told of events, it returns what to do.
///
/// Every ``Action/start(_:)`` is answered by exactly one ``ended(life:_:now:random:lives:)``. Times are durations since
/// an arbitrary moment that is the same for all calls. `lives` is the number of the last life of the supervisor.
package struct WorkloadMachine: Sendable {
    /// What the caller is to do.
    package enum Action: Hashable, Sendable {
        /// Begin a life.
        case start(Life)
        /// Ask a life to end, and kill it after the grace period.
        case stop(life: UInt64, grace: Duration)
    }

    package private(set) var spec: WorkloadSpec
    private let backoff: Backoff
    private var instances: [Int: InstanceRecord] = [:]
    /// Set once the workload is to go; with the grace period of the removal, or `nil` for each instance's own.
    private var departure: Duration??

    package init(_ spec: WorkloadSpec, backoff: Backoff) {
        self.spec = spec
        self.backoff = backoff
    }

    /// Whether the workload is to go, or gone.
    package var isLeaving: Bool { departure != nil }
    /// Whether nothing is left of it.
    package var isGone: Bool { isLeaving && instances.isEmpty }
    /// When ``retry(now:lives:)`` has something to do next.
    package var nextRetry: Duration? { instances.values.compactMap(\.retryAt).min() }

    // MARK: - What is wanted

    /// Starts the instances of a workload that is new.
    package mutating func begin(lives: inout UInt64) -> [Action] { advance(&lives) }

    /// Takes up a newer spec.
    package mutating func apply(
        _ newer: WorkloadSpec, lives: inout UInt64
    ) throws(RuntimeError) -> (ApplyOutcome, [Action]) {
        guard newer.generation >= spec.generation else {
            throw RuntimeError(
                .superseded,
                "generation \(newer.generation) is older than \(spec.generation), which was applied before",
                workload: spec.id)
        }
        var twin = spec
        twin.generation = newer.generation
        let outcome: ApplyOutcome = twin == newer ? .unchanged : .updated
        spec = newer
        return (outcome, advance(&lives))
    }

    /// Ends every instance for good; within `grace`, or each within its own grace period.
    package mutating func leave(grace: Duration?) -> [Action] {
        departure = .some(grace)
        // A removal may shorten the time that an instance got when it was asked first.
        let asked = instances.values.filter { $0.phase == .draining }
        let shortened = grace.map { grace in asked.map { Action.stop(life: $0.life, grace: grace) } } ?? []
        var none: UInt64 = 0
        return shortened + advance(&none)
    }

    // MARK: - What happens

    /// A life has begun.
    package mutating func placed(life: UInt64, _ incarnation: Incarnation, _ endpoint: Endpoint) {
        change(life) { record in
            record.incarnation = incarnation
            record.endpoint = endpoint
        }
    }

    /// An instance answered its probe.
    package mutating func probeSucceeded(life: UInt64, now: Duration, lives: inout UInt64) -> [Action] {
        change(life) { record in
            guard record.endpoint != nil, record.take(.probeSucceeded) else { return }
            record.reason = nil
            record.readySince = record.readySince ?? now
        }
        return advance(&lives)
    }

    /// An instance failed its probe as often as the threshold says.
    package mutating func probeFailed(life: UInt64, _ message: String) {
        change(life) { record in
            guard record.take(.probeFailed), record.phase == .unready else { return }
            record.reason = PhaseReason(.probeFailed, message)
            record.readySince = nil
        }
    }

    /// A life is over.
    package mutating func ended(
        life: UInt64, _ end: LifeEnd, now: Duration, random: Double, lives: inout UInt64
    ) -> [Action] {
        guard let ordinal = ordinal(of: life), var record = instances[ordinal] else { return [] }
        let event: InstancePhase.Event = if case .startupTimedOut = end { .startupTimedOut } else { .exited }
        // A life that was asked to end has ended, whatever it says of itself.
        guard record.take(event) || record.take(.exited) else { return [] }
        if record.phase == .stopped {
            instances[ordinal] = nil
        } else {
            if let since = record.readySince, now - since >= backoff.resetAfter { record.failures = 0 }
            record.failures += 1
            record.readySince = nil
            let delay = backoff.delay(afterFailures: record.failures, random: random)
            record.retryAt = now + delay
            record.reason = Self.reason(end, failures: record.failures, delay: delay)
            instances[ordinal] = record
        }
        return advance(&lives)
    }

    /// Starts again what has waited long enough.
    package mutating func retry(now: Duration, lives: inout UInt64) -> [Action] {
        var actions: [Action] = []
        for ordinal in instances.keys.sorted() {
            guard var record = instances[ordinal], let due = record.retryAt, due <= now, record.take(.placed) else {
                continue
            }
            record.retryAt = nil
            record.restarts += 1
            record.incarnation = nil
            record.endpoint = nil
            lives += 1
            record.life = lives
            instances[ordinal] = record
            actions.append(.start(Life(instance: record.id, number: lives, spec: record.spec)))
        }
        return actions
    }

    // MARK: - What follows

    /// Moves the instances one step towards the spec.
    private mutating func advance(_ lives: inout UInt64) -> [Action] {
        var actions: [Action] = []
        let wanted = 0..<(isLeaving ? 0 : spec.replicas)
        for ordinal in instances.keys.sorted(by: >) where !wanted.contains(ordinal) {
            actions += drain(ordinal)
        }
        for ordinal in wanted {
            guard let record = instances[ordinal] else { continue }
            if spec.runsLike(record.spec) {
                instances[ordinal]?.spec = spec
            } else if record.phase == .backingOff {
                // Nothing runs that could be missed, so it need not wait for its turn.
                instances[ordinal] = nil
            }
        }
        for ordinal in wanted where instances[ordinal] == nil {
            lives += 1
            var record = InstanceRecord(id: InstanceID(workload: spec.id, ordinal: ordinal), spec: spec, life: lives)
            _ = record.take(.placed)
            instances[ordinal] = record
            actions.append(.start(Life(instance: record.id, number: lives, spec: spec)))
        }
        // One at a time, the highest ordinal first; the next one only when all that is new is ready.
        let isSettled = wanted.allSatisfy { ordinal in
            guard let record = instances[ordinal] else { return false }
            return spec.runsLike(record.spec) ? record.phase == .ready : record.phase != .draining
        }
        let outdated = wanted.last { ordinal in instances[ordinal].map { !spec.runsLike($0.spec) } ?? false }
        if isSettled, let outdated { actions += drain(outdated) }
        return actions
    }

    private mutating func drain(_ ordinal: Int) -> [Action] {
        guard var record = instances[ordinal], record.phase != .draining, record.take(.removalRequested) else {
            return []
        }
        if record.phase == .stopped {
            instances[ordinal] = nil
            return []
        }
        record.reason = PhaseReason(.stopping, "asked to stop")
        instances[ordinal] = record
        let grace = (departure ?? nil) ?? record.spec.gracePeriod
        return [.stop(life: record.life, grace: grace)]
    }

    private func ordinal(of life: UInt64) -> Int? {
        instances.first { $0.value.life == life && $0.value.phase.isRunning }?.key
    }

    private mutating func change(_ life: UInt64, _ change: (inout InstanceRecord) -> Void) {
        guard let ordinal = ordinal(of: life), var record = instances[ordinal] else { return }
        change(&record)
        instances[ordinal] = record
    }

    // MARK: - What is told

    /// What is known now.
    package var status: WorkloadStatus {
        let image =
            switch spec.source {
            case .image(let name, let version, _): "\(name):\(version)"
            case .command(let command): command.executable
            case .remote(let endpoints): endpoints.map(\.description).joined(separator: ", ")
            }
        let records = instances.sorted { $0.key < $1.key }.map(\.value)
        return WorkloadStatus(
            id: spec.id, observedGeneration: spec.generation, desiredReplicas: isLeaving ? 0 : spec.replicas,
            image: image, instances: records.map(\.status),
            failure: records.last { $0.phase == .backingOff && $0.reason?.code != .exited }?.reason)
    }

    /// From how many ends in a row on it is called a crash loop.
    private static let crashLoop = 3

    private static func reason(_ end: LifeEnd, failures: Int, delay: Duration) -> PhaseReason {
        let next = "next start in \(seconds(delay))"
        switch end {
        case .startFailed(let message):
            return PhaseReason(.startFailed, "\(message); \(next)")
        case .startupTimedOut(let message):
            return PhaseReason(.startupTimedOut, "\(message); \(next)")
        case .exited(let message) where failures >= crashLoop:
            return PhaseReason(.crashLoop, "ended \(failures) times in a row, the last time with \(message); \(next)")
        case .exited(let message):
            return PhaseReason(.exited, "ended with \(message); \(next)")
        }
    }

    private static func seconds(_ duration: Duration) -> String {
        let tenths = Int((duration / .milliseconds(100)).rounded(.up))
        return tenths % 10 == 0 || tenths > 100 ? "\((tenths + 9) / 10) s" : "\(tenths / 10).\(tenths % 10) s"
    }
}
