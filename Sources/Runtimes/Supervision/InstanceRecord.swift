// SPDX-License-Identifier: MIT

import Rollout
import RuntimeContract

/// What a supervisor knows of one life of an instance, from the wish for it to its end; a life that is started again
/// after it ended unasked keeps its record.
struct InstanceRecord: Sendable {
    /// The record's name within its workload.
    let key: UInt64
    let id: InstanceID
    /// What it runs; see ``Rollout``.
    let revision: UInt64
    var spec: WorkloadSpec
    /// What the launcher knows it by, if it runs from before this supervisor's time.
    let inherited: String?
    /// The present life, or the last one while it backs off.
    var life: UInt64
    private(set) var phase: InstancePhase = .pending
    var incarnation: Incarnation?
    var endpoint: Endpoint?
    var reason: PhaseReason?
    var restarts = 0
    /// Lives that ended unasked, without one in between that went well.
    var failures = 0
    /// How the last life ended, if it did so unasked.
    var failure: PhaseReason?
    /// Since when it is ready without a break.
    var readySince: Duration?
    /// When it may be started again.
    var retryAt: Duration?
    /// When it was taken over, if it ran before this supervisor did: it may have sessions that nobody here knows.
    var takenOverAt: Duration?
    /// How far it is on its way out.
    var departure: RolloutMember.Departure?
    /// Whether it is to start as soon as there is room.
    var isWoken = false

    init(key: UInt64, id: InstanceID, revision: UInt64, spec: WorkloadSpec, life: UInt64, inherited: String? = nil) {
        self.key = key
        self.id = id
        self.revision = revision
        self.spec = spec
        self.life = life
        self.inherited = inherited
    }

    /// Moves on by the table of phases; `false` if `event` means nothing now.
    mutating func take(_ event: InstancePhase.Event) -> Bool {
        guard let next = phase.after(event) else { return false }
        phase = next
        return true
    }

    /// What the rules of roll-outs look at.
    var member: RolloutMember {
        let state: RolloutMember.State =
            switch phase {
            // What runs from before has sessions until the opposite is known.
            case .pending, .starting: inherited == nil ? .starting : .ready
            case .ready: .ready
            case .unready: .unready
            // The record does not say any more whether it answered; what never did was asked to stop at once.
            case .draining: .ready
            case .parked: .parked
            case .backingOff, .stopped, .unknown: .failing
            }
        return RolloutMember(
            id: key, ordinal: id.ordinal, revision: revision, state: state, failures: failures, failure: failure,
            departure: departure)
    }

    /// What is told of it.
    ///
    /// - Parameter isCandidate: Whether it takes no sessions yet, since others of its generation are not ready.
    func status(isCandidate: Bool) -> InstanceStatus {
        var shown = phase
        var reason = reason
        if isCandidate, phase == .ready || phase == .unready, takenOverAt == nil {
            shown = .starting
            reason = nil
        }
        let hasEndpoint = shown == .ready || shown == .unready || shown == .draining
        return InstanceStatus(
            id: id, incarnation: incarnation, generation: spec.generation, phase: shown, reason: reason,
            endpoint: hasEndpoint ? endpoint : nil, restarts: restarts, isTakenOver: takenOverAt != nil)
    }
}
