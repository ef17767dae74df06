// SPDX-License-Identifier: MIT

import RuntimeContract
import Synchronization

/// What is true, and what is published of it while the contact is lost.
final class Contact: Sendable {
    private struct State {
        var truth = RuntimeSnapshot()
        var isLost = false
    }

    private let publisher: RuntimeStatePublisher
    private let state = Mutex(State())

    init(publisher: RuntimeStatePublisher) {
        self.publisher = publisher
    }

    var isLost: Bool { state.withLock(\.isLost) }

    /// Changes the truth; published at once, or when the contact is restored.
    func update(_ change: (inout RuntimeSnapshot) -> Void) {
        state.withLock { state in
            change(&state.truth)
            // Under the lock, so that what is published never goes back.
            if !state.isLost { publisher.update { $0 = state.truth } }
        }
    }

    func lose() {
        state.withLock { state in
            state.isLost = true
            publisher.update { snapshot in
                snapshot.isReachable = false
                for (id, workload) in snapshot.workloads {
                    var workload = workload
                    workload.instances = workload.instances.map { instance in
                        guard let phase = instance.phase.after(.contactLost) else { return instance }
                        var instance = instance
                        instance.phase = phase
                        instance.reason = PhaseReason(.contactLost, "the platform can't be reached")
                        return instance
                    }
                    snapshot.workloads[id] = workload
                }
            }
        }
    }

    func restore() {
        state.withLock { state in
            state.isLost = false
            publisher.update { $0 = state.truth }
        }
    }
}
