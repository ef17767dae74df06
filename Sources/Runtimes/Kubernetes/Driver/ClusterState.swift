// SPDX-License-Identifier: MIT

internal import RuntimeContract
import Synchronization

/// The newest view of the cluster, and who waits for it to change.
final class ClusterState: Sendable {
    private let view = Mutex(ClusterView())
    let publisher = RuntimeStatePublisher(RuntimeSnapshot(isReachable: false))

    /// Changes the view and publishes what follows from it; nothing before everything was listed once.
    func update(_ change: (inout ClusterView) -> Void) {
        // Published under the lock, so that an older state never follows a newer one.
        view.withLock { view in
            change(&view)
            guard view.isKnown else { return }
            view.refresh()
            let snapshot = view.snapshot
            publisher.update { $0 = snapshot }
        }
    }

    /// Looks at the view; a copy that somebody held would have its next change copy everything.
    func read<T>(_ body: (ClusterView) -> T) -> T { view.withLock { body($0) } }

    /// What there is of the workloads whose roll-out is under way; nothing without contact.
    var unsettled: [(id: WorkloadID, revisions: WorkloadRevisions, pods: [PodState])] {
        read { view in
            guard view.isInContact, view.podsAreInContact else { return [] }
            return view.unsettled.sorted().compactMap { id in
                view.revisions(of: id).map { (id, $0, view.pods(of: id)) }
            }
        }
    }

    /// Waits until the published state fulfils `condition`.
    ///
    /// - Throws: `unavailable` when the driver shuts down, `timedOut`, `cancelled`.
    func wait(
        for id: WorkloadID?, within deadline: Duration, _ condition: @escaping @Sendable (ClusterView) -> Bool
    ) async throws(RuntimeError) {
        let outcome = await withTaskGroup(of: RuntimeError.Code?.self) { group in
            group.addTask { [self] in
                for await _ in publisher.events() where read(condition) { return nil }
                return Task.isCancelled ? .cancelled : .unavailable
            }
            group.addTask {
                do { try await Task.sleep(for: deadline) } catch { return .cancelled }
                return .timedOut
            }
            let first = await group.next() ?? .cancelled
            group.cancelAll()
            return first
        }
        guard let code = outcome else { return }
        throw RuntimeError(Task.isCancelled ? .cancelled : code, "the cluster does not show it", workload: id)
    }
}
