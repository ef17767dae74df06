// SPDX-License-Identifier: MIT

internal import RuntimeContract

/// What of a workload's StatefulSets a spec changes.
///
/// Pure. A spec whose pods can be those that serve, or those that are about to, changes that StatefulSet; any other one
/// makes a new one beside them. What is to go goes by the rules of roll-outs, and not here.
struct RevisionChange: Hashable, Sendable {
    /// What is to be written on the StatefulSet of this revision.
    let note: RevisionNote
    /// How many pods that one is to keep.
    let replicas: Int
    /// The names of those that were to take the place of one that is wanted again; they never took a session.
    let superseded: [String]
    /// Whether anybody could tell the difference.
    let isVisible: Bool

    /// `nil` where the spec is one that was withdrawn: the same words are no new attempt.
    init?(to spec: WorkloadSpec, template: String, _ revisions: WorkloadRevisions?, at now: Timestamp) {
        guard let revisions else {
            note = RevisionNote(
                revision: 1, wanted: spec.replicas, drainTime: spec.drainTime, servingSince: now)
            replicas = spec.replicas
            superseded = []
            isVisible = true
            return
        }
        if let withdrawal = revisions.withdrawal, withdrawal.template == template,
            withdrawal.generation == spec.generation
        {
            return nil
        }
        let isServing = revisions.serving.template == template
        guard isServing || revisions.target.template == template else {
            note = RevisionNote(
                revision: (revisions.all.first?.note.revision ?? 0) + 1, wanted: spec.replicas,
                drainTime: spec.drainTime)
            replicas = spec.replicas
            superseded = []
            isVisible = true
            return
        }
        let present = isServing ? revisions.serving : revisions.target
        var note = present.note
        note.wanted = spec.replicas
        note.drainTime = spec.drainTime
        if isServing, spec.generation > note.withdrawal?.generation ?? .max { note.withdrawal = nil }
        if isServing, present.replicas > spec.replicas {
            // The rest has sessions, perhaps.
            if note.shrinkingSince == nil || spec.replicas != present.note.wanted { note.shrinkingSince = now }
            replicas = present.replicas
        } else {
            note.shrinkingSince = nil
            replicas = spec.replicas
        }
        self.note = note
        superseded =
            isServing ? revisions.all.filter { revisions.role(of: $0.note.revision) == .candidate }.map(\.name) : []
        isVisible = note != present.note || replicas != present.replicas || !superseded.isEmpty
    }
}
