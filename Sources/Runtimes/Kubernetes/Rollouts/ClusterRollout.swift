// SPDX-License-Identifier: MIT

internal import Rollout
internal import RuntimeContract

/// What is to be done next for the roll-out of one workload, given what the cluster has.
///
/// Pure and level-triggered. The rules are those of ``Rollout``, as for processes; this tells it of pods, and says what
/// its answers mean for StatefulSets. One that neither serves nor is to is taken away from above its pods, which end one by
/// one as their sessions do; one that serves loses pods from the top only.
struct ClusterRollout: Sendable {
    /// A change of one StatefulSet.
    enum Step: Hashable, Sendable {
        /// It takes the sessions from now on.
        case serve(String, isProven: Bool)
        /// It works, and is worth going back to.
        case prove(String)
        /// The one that serves goes on, and another one was taken back.
        case withdraw(from: String, RevisionNote.Withdrawal)
        /// It is to keep fewer pods.
        case shrink(String, to: Int)
        /// It is not wanted any more; its pods stay.
        case abandon(String)
        /// A pod of none that is wanted is to end.
        case stop(String)
    }

    /// For how long an image may not be had, in case its registry has a bad moment.
    static let patienceForImages = Duration.seconds(120)
    /// For how long a pod may wait for a place or be without one, as a cluster that grows by nodes needs.
    static let patienceForPlaces = Duration.seconds(600)

    let revisions: WorkloadRevisions
    let pods: [PodState]
    /// Whether no gateway has a session on this life of a pod.
    let isReleased: @Sendable (Incarnation) -> Bool

    /// The steps that can be taken at this moment; empty when something has to happen first.
    func steps(at now: Timestamp) -> [Step] {
        let (serving, target) = (revisions.serving, revisions.target)
        guard serving.note.servingSince != nil else { return [.serve(serving.name, isProven: false)] }
        let members = members(at: now)
        var rollout = Rollout(
            serving: UInt64(clamping: serving.note.revision), isProven: serving.note.isProven)
        if revisions.isUnderWay { rollout.roll(to: UInt64(clamping: target.note.revision)) }
        let rules = RolloutRules(
            replicas: Dictionary(
                revisions.all.map { (UInt64(clamping: $0.note.revision), $0.note.wanted) }, uniquingKeysWith: max),
            drainTime: serving.note.drainTime, surges: true)
        let actions = rollout.step(members.map(\.rules), rules, now: now.sinceEpoch)
        let stopping = Set(
            actions.compactMap { action -> UInt64? in
                if case .stop(let id) = action { id } else { nil }
            })
        let isSwitching = rollout.serving != UInt64(clamping: serving.note.revision)
        let leaving = Set(pods.map(\.revision).filter { revisions.role(of: $0) == .leaving }).count
        // One more that drains would be one too many; what is new waits for the end of one.
        if isSwitching, !rollout.isProven || leaving < RolloutRules.maximumLives - 1 {
            return [.serve(target.name, isProven: rollout.isProven)]
        }
        if let found = rollout.withdrawal {
            let withdrawal = RevisionNote.Withdrawal(
                template: target.template ?? "", generation: target.generation, ordinal: found.ordinal,
                message: found.reason?.message ?? "it did not become ready")
            return [.withdraw(from: serving.name, withdrawal)]
        }
        let isNewlyProven = rollout.isProven && !serving.note.isProven && !isSwitching
        var steps: [Step] = isNewlyProven ? [.prove(serving.name)] : []
        for set in revisions.all where set.name != serving.name && set.name != target.name {
            steps.append(.abandon(set.name))
        }
        let kept = Set(revisions.all.map(\.note.revision))
        for member in members where stopping.contains(member.number) {
            if let pod = member.pod, !kept.contains(pod.revision) { steps.append(.stop(pod.name)) }
        }
        // A change that is about to be made first.
        guard !isSwitching else { return steps }
        let staying = members.filter {
            $0.pod?.revision == serving.note.revision && !stopping.contains($0.number) && $0.departure != .stopping
        }
        let left = max(serving.note.wanted, (staying.map(\.ordinal).max() ?? -1) + 1)
        if left < serving.replicas { steps.append(.shrink(serving.name, to: left)) }
        return steps
    }

    // MARK: - Members

    private struct Member {
        /// `nil` for one that should be there and is not.
        let pod: PodState?
        let rules: RolloutMember

        var number: UInt64 { rules.id }
        var ordinal: Int { rules.ordinal }
        var departure: RolloutMember.Departure? { rules.departure }
    }

    private func members(at now: Timestamp) -> [Member] {
        var members: [Member] = []
        for pod in pods {
            let status = pod.status(generation: pod.generation)
            guard status.phase != .stopped else { continue }
            var member = RolloutMember(
                id: UInt64(members.count), ordinal: pod.instance.ordinal, revision: UInt64(clamping: pod.revision),
                state: Self.state(status.phase), failures: pod.endings, failure: status.reason,
                departure: departure(of: pod, status, at: now))
            if let reason = overdue(status, for: now.since(pod.createdAt)) {
                member.state = .failing
                member.failures = RolloutRules.maximumFailures
                member.failure = reason
            }
            members.append(Member(pod: pod, rules: member))
        }
        // Pods that the cluster does not even make, for want of quota say.
        let target = revisions.target
        if revisions.isUnderWay, now.since(target.createdAt) > Self.patienceForPlaces {
            let present = Set(pods.lazy.filter { $0.revision == target.note.revision }.map(\.instance.ordinal))
            for ordinal in 0..<max(0, target.note.wanted) where !present.contains(ordinal) {
                let member = RolloutMember(
                    id: UInt64(members.count), ordinal: ordinal, revision: UInt64(clamping: target.note.revision),
                    state: .failing, failures: RolloutRules.maximumFailures,
                    failure: PhaseReason(.startFailed, "the cluster has not made its pod"))
                members.append(Member(pod: nil, rules: member))
            }
        }
        return members
    }

    private static func state(_ phase: InstancePhase) -> RolloutMember.State {
        switch phase {
        case .pending, .starting: .starting
        case .ready, .draining: .ready
        case .unready, .unknown: .unready
        case .parked: .parked
        case .backingOff, .stopped: .failing
        }
    }

    private func departure(
        of pod: PodState, _ status: InstanceStatus, at now: Timestamp
    ) -> RolloutMember.Departure? {
        if pod.isBeingDeleted { return .stopping }
        let since: Timestamp?
        switch revisions.role(of: pod.revision) {
        case .candidate: return nil
        case .leaving: since = revisions.serving.note.servingSince
        case .serving:
            guard pod.instance.ordinal >= revisions.serving.note.wanted else { return nil }
            since = revisions.serving.note.shrinkingSince
        }
        return .draining(
            since: (since ?? now).sinceEpoch, isReleased: status.incarnation.map(isReleased) ?? true)
    }

    /// Why a pod is taken for one that will never start.
    private func overdue(_ status: InstanceStatus, for age: Duration) -> PhaseReason? {
        switch (status.phase, status.reason?.code) {
        case (.backingOff, .imageNotFound), (.backingOff, .startFailed):
            age > Self.patienceForImages ? status.reason : nil
        case (.pending, _), (.starting, _):
            age > Self.patienceForPlaces
                ? status.reason ?? PhaseReason(.startupTimedOut, "it has not become ready") : nil
        default: nil
        }
    }
}

extension Timestamp {
    fileprivate var sinceEpoch: Duration { .milliseconds(millisecondsSinceEpoch) }

    fileprivate func since(_ earlier: Timestamp) -> Duration {
        .milliseconds(millisecondsSinceEpoch - earlier.millisecondsSinceEpoch)
    }
}
