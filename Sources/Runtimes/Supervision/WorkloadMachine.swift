// SPDX-License-Identifier: MIT

import Rollout
package import RuntimeContract

/// Decides what happens to the instances of one workload.
///
/// Pure: told of events, it returns what to do. What is replaced, added and taken away is decided by ``Rollout``; this
/// keeps the lives, and starts again what ended unasked.
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

    /// Whether a life of the first spec can be started while one of the second still runs.
    package typealias Neighbourhood = @Sendable (WorkloadSpec, WorkloadSpec) -> Bool

    /// The newest spec.
    package private(set) var spec: WorkloadSpec
    let backoff: Backoff
    private let canRunBeside: Neighbourhood
    var records: [UInt64: InstanceRecord] = [:]
    /// Lives that were parked and have not ended yet, by number; their records are the parked ones.
    var ending: [UInt64: Int] = [:]
    private(set) var rollout: Rollout
    /// What the revisions run that there is a life of; the inherited one is not among them.
    private(set) var specs: [UInt64: WorkloadSpec]
    private var revisions: UInt64
    private var keys: UInt64 = 0
    /// Set once the workload is to go; with the grace period of the removal, or `nil` for each instance's own.
    private(set) var departure: Duration??

    /// The revision of lives from before, of which only the launcher knows what they run.
    private static let inheritedRevision: UInt64 = 0

    package init(
        _ spec: WorkloadSpec, backoff: Backoff, canRunBeside: @escaping Neighbourhood = { _, _ in true }
    ) {
        self.spec = spec
        self.backoff = backoff
        self.canRunBeside = canRunBeside
        revisions = 1
        specs = [1: spec]
        rollout = Rollout(serving: 1)
    }

    /// Whether the workload is to go, or gone.
    package var isLeaving: Bool { departure != nil }
    /// Whether nothing is left of it.
    package var isGone: Bool { isLeaving && records.isEmpty && ending.isEmpty }
    /// When ``tick(now:lives:)`` has something to do next.
    package var nextDeadline: Duration? {
        let deadline = isLeaving ? nil : rollout.nextDeadline(members, rules)
        return (records.values.compactMap(\.retryAt) + [deadline].compactMap(\.self)).min()
    }

    // MARK: - What is wanted

    /// Starts the instances of a workload that is new, beside what runs of it from before.
    package mutating func begin(
        inheriting lives: [InheritedLife] = [], now: Duration, numbers: inout UInt64
    ) -> [Action] {
        guard !lives.isEmpty else { return advance(now: now, &numbers) }
        rollout = Rollout(serving: Self.inheritedRevision, isProven: true)
        var actions: [Action] = []
        for life in lives {
            actions.append(
                start(life.ordinal, Self.inheritedRevision, spec, inherited: life.name, numbers: &numbers))
        }
        rollout.roll(to: revisions)
        return actions + advance(now: now, &numbers)
    }

    /// Takes up a newer spec.
    package mutating func apply(
        _ newer: WorkloadSpec, now: Duration, lives: inout UInt64
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
        // The same words once more are no new attempt at what was withdrawn.
        let isNew = newer.generation > spec.generation || outcome == .updated
        spec = newer
        if let serving = specs[rollout.serving], newer.runsLike(serving) {
            specs[rollout.serving] = newer
            if isNew { rollout.roll(to: rollout.serving) }
        } else if rollout.isUnderWay, let target = specs[rollout.target], newer.runsLike(target) {
            specs[rollout.target] = newer
        } else if isNew {
            revisions += 1
            specs[revisions] = newer
            rollout.roll(to: revisions)
        }
        for (key, record) in records where record.departure == nil {
            if let spec = specs[record.revision] { records[key]?.spec = spec }
        }
        return (outcome, advance(now: now, &lives))
    }

    /// Ends every instance for good; within `grace`, or each within its own grace period.
    package mutating func leave(grace: Duration?, now: Duration) -> [Action] {
        departure = .some(grace)
        // A removal may shorten the time that an instance got when it was asked first.
        let asked = records.values.filter { $0.departure == .stopping }.map(\.life) + ending.keys
        let shortened = grace.map { grace in asked.sorted().map { Action.stop(life: $0, grace: grace) } } ?? []
        var none: UInt64 = 0
        return shortened + advance(now: now, &none)
    }

    /// Nobody is bound to this life any more, as far as is known.
    package mutating func release(
        _ ordinal: Int, _ incarnation: Incarnation, now: Duration, lives: inout UInt64
    ) -> [Action] {
        for (key, record) in records where record.id.ordinal == ordinal && record.incarnation == incarnation {
            guard case .draining(let since, _) = record.departure else { continue }
            // Sessions from before are known to nobody until they are used.
            if let moment = record.takenOverAt, now - moment < spec.drainTime { continue }
            records[key]?.departure = .draining(since: since, isReleased: true)
        }
        return advance(now: now, &lives)
    }

    /// Does what is due: starts again what has waited long enough, stops what has drained for long enough.
    package mutating func tick(now: Duration, lives: inout UInt64) -> [Action] {
        var actions: [Action] = []
        for key in records.keys.sorted() {
            guard var record = records[key], let due = record.retryAt, due <= now, record.take(.placed) else {
                continue
            }
            record.restarts += 1
            actions.append(restart(&record, &lives))
            records[key] = record
        }
        return actions + advance(now: now, &lives)
    }

    // MARK: - What follows

    /// Begins the next life of a record that is about to be `starting`.
    func restart(_ record: inout InstanceRecord, _ lives: inout UInt64) -> Action {
        record.retryAt = nil
        record.isWoken = false
        record.incarnation = nil
        record.endpoint = nil
        lives += 1
        record.life = lives
        return .start(Life(instance: record.id, number: lives, spec: record.spec, inherited: nil))
    }

    var members: [RolloutMember] {
        records.values.map(\.member)
            + ending.map { life, ordinal in
                RolloutMember(
                    id: .max - life, ordinal: ordinal, revision: rollout.serving, state: .ready, departure: .stopping)
            }
    }

    private var rules: RolloutRules {
        let (older, newer) = (specs[rollout.serving], specs[rollout.target])
        let surges = if let older, let newer { canRunBeside(newer, older) } else { canRunBeside(spec, spec) }
        return RolloutRules(replicas: specs.mapValues(\.replicas), drainTime: spec.drainTime, surges: surges)
    }

    /// Whether a life of an ordinal may be started now.
    func hasRoom(_ ordinal: Int) -> Bool {
        let others = members.count { $0.ordinal == ordinal && $0.departure != nil }
        return others == 0 || (rules.surges && others < RolloutRules.maximumLives)
    }

    /// Moves the instances towards what is wanted.
    mutating func advance(now: Duration, _ lives: inout UInt64) -> [Action] {
        var actions: [Action] = []
        if isLeaving {
            for key in records.keys.sorted().reversed() where records[key]?.departure != .stopping {
                actions += stop(key)
            }
            return actions
        }
        while true {
            let decisions = rollout.step(members, rules, now: now)
            for decision in decisions {
                switch decision {
                case .start(let ordinal, let revision):
                    guard let spec = specs[revision] else { continue }
                    actions.append(start(ordinal, revision, spec, inherited: nil, numbers: &lives))
                case .drain(let key): actions += drain(key, now: now)
                case .stop(let key): actions += stop(key)
                }
            }
            guard decisions.isEmpty else { continue }
            // Of what was inherited nothing can be started again, so that without it the spec is tried once more.
            let isLost = rollout.serving == Self.inheritedRevision && !rollout.isUnderWay
            guard isLost, !records.values.contains(where: { $0.departure == nil }) else { break }
            specs[revisions] = spec
            rollout = Rollout(serving: revisions)
        }
        let living = Set(records.values.map(\.revision)).union([rollout.serving, rollout.target])
        specs = specs.filter { living.contains($0.key) }
        return actions + startWoken(&lives)
    }

    private mutating func start(
        _ ordinal: Int, _ revision: UInt64, _ spec: WorkloadSpec, inherited: String?, numbers: inout UInt64
    ) -> Action {
        numbers += 1
        keys += 1
        let id = InstanceID(workload: spec.id, ordinal: ordinal)
        var record = InstanceRecord(
            key: keys, id: id, revision: revision, spec: spec, life: numbers, inherited: inherited)
        _ = record.take(.placed)
        records[keys] = record
        return .start(Life(instance: id, number: numbers, spec: spec, inherited: inherited))
    }

    private mutating func drain(_ key: UInt64, now: Duration) -> [Action] {
        // A server of somebody else goes on as the same life under the new watch.
        let isContinued = records.values.contains { other in
            other.departure == nil && other.revision == rollout.serving && other.incarnation != nil
                && other.incarnation == records[key]?.incarnation && other.key != key
        }
        if isContinued { return stop(key) }
        guard var record = records[key], record.take(.removalRequested) else { return [] }
        record.departure = .draining(since: now, isReleased: false)
        record.reason = PhaseReason(
            .draining, "takes no new sessions, and ends with the last one or after \(Self.words(spec.drainTime))")
        records[key] = record
        return []
    }

    private mutating func stop(_ key: UInt64) -> [Action] {
        guard var record = records[key], record.departure != .stopping, record.take(.removalRequested) else {
            return []
        }
        if record.phase == .stopped {
            records[key] = nil
            return []
        }
        record.departure = .stopping
        record.reason = PhaseReason(.stopping, "asked to stop")
        records[key] = record
        let grace = (departure ?? nil) ?? record.spec.gracePeriod
        return [.stop(life: record.life, grace: grace)]
    }
}

/// A life from before, which its launcher knows.
package struct InheritedLife: Hashable, Sendable {
    /// Whose life it is.
    package var ordinal: Int
    /// What the launcher knows it by.
    package var name: String

    package init(ordinal: Int, name: String) {
        self.ordinal = ordinal
        self.name = name
    }
}
