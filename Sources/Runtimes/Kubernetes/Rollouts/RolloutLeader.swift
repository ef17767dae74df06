// SPDX-License-Identifier: MIT

internal import JSON
internal import Logging
internal import RuntimeContract

/// Takes the steps of roll-outs while this gateway is the one to do so.
///
/// Traffic never depends on it. Each step is taken on the state that it was decided by, or not at all, so that neither a
/// late gateway nor two at once do what is no longer right.
struct RolloutLeader: Sendable {
    /// How often what is under way is looked at, when nothing tells of a change.
    private static let period = Duration.seconds(1)
    /// How often old Leases are looked for.
    private static let cleaning = Duration.seconds(300)

    let client: KubernetesClient
    let paths: ResourcePaths
    let state: ClusterState
    let presence: GatewayPresence
    let logger: Logger

    /// Works until cancelled.
    func run() async {
        let (signals, signal) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        await withDiscardingTaskGroup { group in
            group.addTask {
                for await _ in state.publisher.events() { signal.yield() }
            }
            group.addTask {
                while !Task.isCancelled {
                    try? await Task.sleep(for: Self.period)
                    signal.yield()
                }
                signal.finish()
            }
            group.addTask {
                for await _ in signals where presence.isLeader { await look() }
            }
            group.addTask {
                while !Task.isCancelled {
                    try? await Task.sleep(for: Self.cleaning)
                    if presence.isLeader { await presence.removeObsolete() }
                }
            }
        }
    }

    private func look() async {
        for (id, revisions, pods) in state.unsettled {
            guard !Task.isCancelled else { return }
            let created = Dictionary(
                pods.compactMap { pod in pod.incarnation.map { ($0, pod.createdAt) } }, uniquingKeysWith: min)
            let rollout = ClusterRollout(revisions: revisions, pods: pods) { life in
                created[life].map { presence.isReleased(life, created: $0) } ?? true
            }
            for step in rollout.steps(at: .now) {
                do throws(KubernetesError) {
                    try await take(step, id, revisions, pods)
                } catch {
                    // Somebody else was faster; the watch will tell what there is now.
                    if [.conflict, .notFound, .cancelled].contains(error.code) { break }
                    logger.warning(
                        "a step of a roll-out can't be taken; it is tried again",
                        metadata: ["adapter": "\(id)", "reason": "\(error.description)"])
                    break
                }
            }
        }
    }

    private func take(
        _ step: ClusterRollout.Step, _ id: WorkloadID, _ revisions: WorkloadRevisions, _ pods: [PodState]
    ) async throws(KubernetesError) {
        switch step {
        case .serve(let name, let isProven):
            try await change(name, revisions) { note in
                note.servingSince = .now
                note.isProven = isProven
                return nil
            }
            logger.info("a revision takes the sessions", metadata: ["adapter": "\(id)", "statefulset": "\(name)"])
        case .prove(let name):
            try await change(name, revisions) { note in
                note.isProven = true
                return nil
            }
        case .withdraw(let name, let withdrawal):
            try await change(name, revisions) { note in
                note.withdrawal = withdrawal
                return nil
            }
            logger.warning(
                "a generation is withdrawn",
                metadata: [
                    "adapter": "\(id)", "generation": "\(withdrawal.generation)", "reason": "\(withdrawal.message)",
                ])
        case .shrink(let name, let count):
            try await change(name, revisions) { note in
                if count == note.wanted { note.shrinkingSince = nil }
                return count
            }
        case .abandon(let name):
            guard let set = revisions.all.first(where: { $0.name == name }) else { return }
            _ = try await client.call(
                APICall(
                    "DELETE", "\(paths.statefulSets)/\(name)",
                    body: [
                        "propagationPolicy": "Orphan",
                        "preconditions": ["uid": .string(set.uid), "resourceVersion": .string(set.version)],
                    ]))
            try await client.removeHistory(of: id, revision: set.note.revision, paths)
        case .stop(let name):
            guard let pod = pods.first(where: { $0.name == name }) else { return }
            // Not one that has its name by now.
            _ = try await client.call(
                APICall("DELETE", "\(paths.pods)/\(name)", body: ["preconditions": ["uid": .string(pod.uid)]]))
        }
    }

    /// Writes a note, and how many pods are to be kept where `edit` returns that; a conflict where the StatefulSet is not
    /// as the step was decided by any more.
    private func change(
        _ name: String, _ revisions: WorkloadRevisions, _ edit: (inout RevisionNote) -> Int?
    ) async throws(KubernetesError) {
        guard let set = revisions.all.first(where: { $0.name == name }) else { return }
        var note = set.note
        let replicas = edit(&note)
        var body: JSONObject = [
            "metadata": [
                "uid": .string(set.uid), "resourceVersion": .string(set.version),
                "annotations": [FieldNames.rollout: .string(note.text)],
            ]
        ]
        if let replicas { body.set("spec", ["replicas": .integer(Int64(replicas))]) }
        var call = APICall(
            "PATCH", "\(paths.statefulSets)/\(name)", query: [("fieldManager", FieldNames.manager)],
            body: .object(body))
        call.contentType = "application/merge-patch+json"
        _ = try await client.call(call)
    }
}
