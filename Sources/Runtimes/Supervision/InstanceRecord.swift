// SPDX-License-Identifier: MIT

import RuntimeContract

/// What a supervisor knows of one instance.
struct InstanceRecord: Sendable {
    let id: InstanceID
    /// What it runs.
    var spec: WorkloadSpec
    /// The present life, or the last one while it backs off.
    var life: UInt64
    private(set) var phase: InstancePhase = .pending
    var incarnation: Incarnation?
    var endpoint: Endpoint?
    var reason: PhaseReason?
    var restarts = 0
    /// Lives that ended unasked, without one in between that went well.
    var failures = 0
    /// Since when it is ready without a break.
    var readySince: Duration?
    /// When it may be started again.
    var retryAt: Duration?

    init(id: InstanceID, spec: WorkloadSpec, life: UInt64) {
        self.id = id
        self.spec = spec
        self.life = life
    }

    /// Moves on by the table of phases; `false` if `event` means nothing now.
    mutating func take(_ event: InstancePhase.Event) -> Bool {
        guard let next = phase.after(event) else { return false }
        phase = next
        return true
    }

    var status: InstanceStatus {
        let hasEndpoint = phase == .ready || phase == .unready || phase == .draining
        return InstanceStatus(
            id: id, incarnation: incarnation, generation: spec.generation, phase: phase, reason: reason,
            endpoint: hasEndpoint ? endpoint : nil, restarts: restarts)
    }
}
