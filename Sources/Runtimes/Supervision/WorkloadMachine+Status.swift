// SPDX-License-Identifier: MIT

import Rollout
package import RuntimeContract

// MARK: - What is told

extension WorkloadMachine {
    /// What is known now.
    package var status: WorkloadStatus {
        let image =
            switch spec.source {
            case .image(let name, let version, _): "\(name):\(version)"
            case .command(let command): command.executable
            case .remote(let endpoints): endpoints.map(\.description).joined(separator: ", ")
            }
        let sorted = records.values.sorted { left, right in
            (left.id.ordinal, rank(left), .max - left.key) < (right.id.ordinal, rank(right), .max - right.key)
        }
        let failing = sorted.last { $0.phase == .backingOff && $0.reason?.code != .exited }
        return WorkloadStatus(
            id: spec.id, observedGeneration: spec.generation, desiredReplicas: isLeaving ? 0 : spec.replicas,
            image: image, instances: sorted.map { $0.status(isCandidate: isCandidate($0)) },
            failure: rollout.withdrawal.map(reason) ?? failing?.reason)
    }

    /// Of one ordinal the life that takes sessions is first, then the one to replace it, then those on their way out.
    private func rank(_ record: InstanceRecord) -> Int {
        record.departure != nil ? 2 : record.revision == rollout.serving ? 0 : 1
    }

    private func isCandidate(_ record: InstanceRecord) -> Bool {
        record.departure == nil && record.revision != rollout.serving
    }

    private func reason(_ withdrawal: Rollout.Withdrawal) -> PhaseReason {
        let old = specs[rollout.serving].map { "generation \($0.generation)" } ?? "what ran before"
        let why = withdrawal.reason?.message ?? "it did not become ready"
        return PhaseReason(
            .rolledBack,
            "generation \(spec.generation) was withdrawn, since instance \(withdrawal.ordinal) failed: \(why); \(old) goes on"
        )
    }

    /// From how many ends in a row on it is called a crash loop.
    private static let crashLoop = RolloutRules.maximumFailures

    /// What there is to say of an end.
    static func reason(_ end: LifeEnd, failures: Int) -> PhaseReason {
        switch end {
        case .startFailed(let message):
            PhaseReason(.startFailed, message)
        case .startupTimedOut(let message):
            PhaseReason(.startupTimedOut, message)
        case .exited(let message) where failures >= crashLoop:
            PhaseReason(.crashLoop, "ended \(failures) times in a row, the last time with \(message)")
        case .exited(let message):
            PhaseReason(.exited, "ended with \(message)")
        }
    }

    /// A duration for people.
    static func words(_ duration: Duration) -> String {
        let tenths = Int((duration / .milliseconds(100)).rounded(.up))
        return tenths % 10 == 0 || tenths > 100 ? "\((tenths + 9) / 10) s" : "\(tenths / 10).\(tenths % 10) s"
    }
}
