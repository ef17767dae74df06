// SPDX-License-Identifier: MIT

internal import RuntimeContract

extension WorkloadRevisions {
    /// What is told of the workload.
    func status(_ id: WorkloadID, _ pods: [PodState]) -> WorkloadStatus {
        var shown: [(instance: InstanceStatus, rank: Int, revision: Int64)] = []
        for pod in pods {
            let role = role(of: pod.revision)
            let set = all.first { $0.note.revision == pod.revision }
            let isBeyond = role == .serving && pod.instance.ordinal >= serving.note.wanted
            var status = pod.status(generation: set?.generation ?? pod.generation)
            switch role {
            case .serving where !isBeyond: break
            case .candidate: status.wait()
            case .serving, .leaving:
                // Nothing runs there any more, and nothing will.
                if status.phase == .stopped { continue }
                status.drain()
            }
            let rank = role == .serving && !isBeyond ? 0 : role == .candidate ? 1 : 2
            shown.append((status, rank, pod.revision))
        }
        for set in isUnderWay ? [serving, target] : [serving] {
            let present = Set(pods.lazy.filter { $0.revision == set.note.revision }.map(\.instance.ordinal))
            for ordinal in 0..<max(set.note.wanted, 0) where !present.contains(ordinal) {
                let instance = InstanceStatus(
                    id: InstanceID(workload: id, ordinal: ordinal), generation: set.generation, phase: .pending)
                shown.append((instance, set.name == serving.name ? 0 : 1, set.note.revision))
            }
        }
        shown.sort { ($0.instance.id, $0.rank, -$0.revision) < ($1.instance.id, $1.rank, -$1.revision) }
        return WorkloadStatus(
            id: id, observedGeneration: generation, desiredReplicas: target.note.wanted, image: target.image,
            instances: shown.map(\.instance), failure: withdrawal.map(reason))
    }

    private func reason(_ withdrawal: RevisionNote.Withdrawal) -> PhaseReason {
        PhaseReason(
            .rolledBack,
            "generation \(withdrawal.generation) was withdrawn, since instance \(withdrawal.ordinal) failed: \(withdrawal.message); generation \(serving.generation) goes on"
        )
    }
}

extension InstanceStatus {
    /// It takes no sessions yet, since others of its revision are not ready.
    fileprivate mutating func wait() {
        guard phase == .ready || phase == .unready else { return }
        phase = .starting
        reason = nil
        endpoint = nil
    }

    /// It takes no new sessions any more.
    mutating func drain() {
        guard phase == .ready || phase == .unready else { return }
        phase = .draining
        reason = PhaseReason(.draining, "it makes room, and ends when its sessions have ended")
    }
}
