// SPDX-License-Identifier: MIT

public import RuntimeContract

/// Decides how the instances of a workload are replaced, added and taken away without cutting sessions.
///
/// Pure and level-triggered: told what there is, it says what to do next, and nothing else is remembered but which
/// revision serves, which one is wanted, and why one was withdrawn. The same for every platform: a platform only has to
/// tell lives of different revisions apart.
///
/// A revision is a number that the caller gives to what runs; greater ones are newer. The rules:
///
/// - The lives of a new revision are started beside the old ones, which take all sessions until every new one is ready.
///   Then, at one moment, the new revision serves, and the old lives drain.
/// - What drains is stopped when it is released, when its drain time is over, or when it does not answer anyway.
/// - A revision of which one instance does not become ready (in its time, or within three starts) is withdrawn: its
///   lives are stopped, and the serving ones have never done anything else.
/// - A revision that was never ready is nothing to go back to: it is replaced at once.
/// - Too many instances drain, the highest ordinals first.
public struct Rollout: Hashable, Sendable {
    /// What the caller is to do.
    public enum Action: Hashable, Sendable {
        /// Start a life of a revision.
        case start(ordinal: Int, revision: UInt64)
        /// Send no new sessions to this life any more.
        case drain(UInt64)
        /// Ask this life to stop.
        case stop(UInt64)
    }

    /// Why a revision was taken back.
    public struct Withdrawal: Hashable, Sendable {
        /// The revision.
        public let revision: UInt64
        /// The replica that did not become ready.
        public let ordinal: Int
        /// What is known of why.
        public let reason: PhaseReason?
    }

    /// The revision that takes sessions.
    public private(set) var serving: UInt64
    /// The revision that is wanted; the same as ``serving`` when there is nothing to do, or after a withdrawal.
    public private(set) var target: UInt64
    /// The last withdrawal, until something else is wanted.
    public private(set) var withdrawal: Withdrawal?
    /// Whether ``serving`` was ever ready, so that it is worth going back to.
    public private(set) var isProven: Bool

    /// Begins with one revision, of which nothing needs to run yet.
    ///
    /// - Parameter isProven: Whether it is known to work.
    public init(serving: UInt64, isProven: Bool = false) {
        self.serving = serving
        target = serving
        self.isProven = isProven
    }

    /// Whether a newer revision is on its way.
    public var isUnderWay: Bool { target != serving }

    /// Wants this revision from now on: a new one, or the serving one again.
    public mutating func roll(to revision: UInt64) {
        target = revision
        withdrawal = nil
    }

    /// What is to be done, given what there is; empty when nothing is.
    ///
    /// Call it again after its actions were taken up in `members`, until nothing is left to do. Lives that were asked to
    /// stop belong to `members` until they have ended.
    public mutating func step(_ members: [RolloutMember], _ rules: RolloutRules, now: Duration) -> [Action] {
        decide(members.filter { $0.departure == nil }, rules)
        return departures(members, rules, now: now) + arrivals(members, rules)
    }

    /// When ``step(_:_:now:)`` has something to do next although nothing happens.
    public func nextDeadline(_ members: [RolloutMember], _ rules: RolloutRules) -> Duration? {
        members.compactMap { member in
            if case .draining(let since, _) = member.departure { since + rules.drainTime } else { nil }
        }.min()
    }

    // MARK: - Parts

    /// Goes over to the new revision, or back to the old one.
    private mutating func decide(_ staying: [RolloutMember], _ rules: RolloutRules) {
        isProven = isProven || staying.contains { $0.revision == serving && ($0.answers || $0.state == .parked) }
        guard isUnderWay else { return }
        let fresh = staying.filter { $0.revision == target }
        let isReady = (0..<(rules.replicas[target] ?? 0)).allSatisfy { ordinal in
            fresh.contains { $0.ordinal == ordinal && $0.state == .ready }
        }
        if !isProven || isReady {
            serving = target
            isProven = isReady
        } else if let failed = fresh.filter(Self.hasFailed).min(by: { $0.ordinal < $1.ordinal }) {
            withdrawal = Withdrawal(revision: target, ordinal: failed.ordinal, reason: failed.failure)
            target = serving
        }
    }

    private static func hasFailed(_ member: RolloutMember) -> Bool {
        switch member.state {
        case .unready: true
        case .failing: member.failures >= RolloutRules.maximumFailures || member.failure?.code == .startupTimedOut
        case .starting, .ready, .parked: false
        }
    }

    /// Who is to go, and who of those on their way out is to stop.
    private func departures(_ members: [RolloutMember], _ rules: RolloutRules, now: Duration) -> [Action] {
        var actions: [Action] = []
        for member in members.sorted(by: { ($0.ordinal, $0.id) > ($1.ordinal, $1.id) }) {
            switch member.departure {
            case .stopping: continue
            case .draining(let since, let isReleased):
                if isReleased || !member.answers || now >= since + rules.drainTime { actions.append(.stop(member.id)) }
            case nil:
                guard !isWanted(member, rules) else { continue }
                // Newer than what serves: it never took a session.
                let mayHaveSessions = member.answers && member.revision <= serving && (rules.surges || !isUnderWay)
                actions.append(mayHaveSessions ? .drain(member.id) : .stop(member.id))
            }
        }
        return actions
    }

    private func isWanted(_ member: RolloutMember, _ rules: RolloutRules) -> Bool {
        if member.revision == serving {
            // Without room for both, the old ones make it.
            guard !isUnderWay || rules.surges else { return false }
        } else if member.revision != target {
            return false
        }
        return member.ordinal < rules.replicas[member.revision] ?? .max
    }

    private func arrivals(_ members: [RolloutMember], _ rules: RolloutRules) -> [Action] {
        (0..<(rules.replicas[target] ?? 0)).compactMap { ordinal in
            let lives = members.filter { $0.ordinal == ordinal }
            let isThere = lives.contains { $0.revision == target && $0.departure == nil }
            guard !isThere, lives.count < (rules.surges ? RolloutRules.maximumLives : 1) else { return nil }
            return .start(ordinal: ordinal, revision: target)
        }
    }
}
