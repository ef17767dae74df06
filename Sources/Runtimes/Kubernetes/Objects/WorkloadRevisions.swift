// SPDX-License-Identifier: MIT

internal import RuntimeContract

/// Which of a workload's StatefulSets serves, and which one is to.
struct WorkloadRevisions: Sendable {
    /// What pods are for.
    enum Role: Hashable, Sendable {
        /// They take the sessions.
        case serving
        /// They are to, as soon as all of them are ready.
        case candidate
        /// They keep what sessions they have.
        case leaving
    }

    /// The StatefulSet that takes the sessions.
    let serving: StatefulSetState
    /// The one that is wanted; the same when no roll-out is under way.
    let target: StatefulSetState
    /// All that there are, the newest first.
    let all: [StatefulSetState]

    /// `nil` where there is none that is to stay.
    init?(_ sets: some Sequence<StatefulSetState>) {
        all = sets.filter { !$0.isBeingDeleted }.sorted { $0.note.revision > $1.note.revision }
        guard let serving = all.first(where: { $0.note.servingSince != nil }) ?? all.last else { return nil }
        self.serving = serving
        let withdrawn = serving.note.withdrawal?.generation ?? 0
        target = all.first { $0.note.revision > serving.note.revision && $0.generation > withdrawn } ?? serving
    }

    var isUnderWay: Bool { target.name != serving.name }

    /// The newest generation that was wanted.
    var generation: Int64 {
        max(all.map(\.generation).max() ?? 0, serving.note.withdrawal?.generation ?? 0)
    }

    /// The withdrawal of what was wanted last.
    var withdrawal: RevisionNote.Withdrawal? {
        serving.note.withdrawal.flatMap { $0.generation == generation ? $0 : nil }
    }

    /// Whether nobody has to do anything, now or later.
    func isSettled(_ pods: some Sequence<PodState>) -> Bool {
        all.count == 1 && serving.replicas == serving.note.wanted && serving.note.servingSince != nil
            && (serving.note.isProven || serving.note.wanted == 0)
            && pods.allSatisfy { $0.revision == serving.note.revision }
    }

    /// What the pods of a revision are for.
    func role(of revision: Int64) -> Role {
        if revision == serving.note.revision { return .serving }
        return revision > serving.note.revision ? .candidate : .leaving
    }

    /// The name of a workload's StatefulSet of a revision.
    ///
    /// At most 52 characters: the cluster adds eleven for a label, which has 63.
    static func name(of id: WorkloadID, revision: Int64) -> String {
        guard revision > 1 else { return id.rawValue }
        let suffix = "-r\(revision)"
        let whole = id.rawValue + suffix
        guard whole.utf8.count > 52 else { return whole }
        // Two names that begin alike stay two.
        let digest = Fingerprint.of(Array(id.rawValue.utf8)).prefix(8)
        return "\(id.rawValue.prefix(52 - suffix.utf8.count - 1 - digest.utf8.count))-\(digest)\(suffix)"
    }
}
