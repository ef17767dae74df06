// SPDX-License-Identifier: MIT

internal import JSON
public import RuntimeContract

extension KubernetesRuntime {
    /// Deletes everything that belongs to a workload, and returns when nothing of it is left.
    public func remove(_ id: WorkloadID, gracePeriod: Duration) async throws(RuntimeError) {
        try await turns.run(.remove, id) { () async throws(RuntimeError) in
            try await state.wait(for: id, within: .seconds(30)) { $0.isKnown }
            do throws(KubernetesError) {
                try await deleteObjects(id)
                try await deletePods(id, gracePeriod)
            } catch {
                throw error.runtimeError(id)
            }
            try await state.wait(for: id, within: .seconds(30)) { Self.isGone(id, $0) }
        }
    }

    private static func isGone(_ id: WorkloadID, _ view: ClusterView) -> Bool {
        view.isGone(id)
    }

    private func deleteObjects(_ id: WorkloadID) async throws(KubernetesError) {
        let manifests = Manifests(
            spec: WorkloadSpec(id: id, generation: 1, source: .none), configuration: configuration)
        // The pods stay, to be ended with their own grace period; without their StatefulSet none is made again.
        for set in try await statefulSets(of: id) {
            guard let name = set["metadata", "name"]?.text else { continue }
            try await deleteOurs("\(paths.statefulSets)/\(name)", id, ["propagationPolicy": "Orphan"])
        }
        try await client.removeHistory(of: id, paths)
        let version = try await policyVersion.find(client)
        try await deleteOurs("\(paths.disruptionBudgets(version))/\(manifests.name)", id)
        try await deleteOurs("\(paths.services)/\(manifests.serviceName)", id)
        try await deleteOurs("\(paths.secrets)/\(manifests.secretName)", id)
    }

    private func deleteOurs(
        _ path: String, _ id: WorkloadID, _ options: JSONObject = [:]
    ) async throws(KubernetesError) {
        guard let found = try await client.find(path), isOurs(found, id),
            found["metadata", "deletionTimestamp"] == nil
        else { return }
        var options = options
        // Not one that somebody else has put in its place meanwhile.
        if let uid = found["metadata", "uid"]?.text { options.set("preconditions", ["uid": .string(uid)]) }
        try await delete(path, options: options)
    }

    /// Asks each pod to end, and waits until none is left.
    private func deletePods(_ id: WorkloadID, _ gracePeriod: Duration) async throws(KubernetesError) {
        // Zero would forget a pod that may go on; the least that a node keeps is one second.
        let seconds = max(1, min(gracePeriod.wholeSeconds, 86_400))
        let selector = "\(FieldNames.ours),\(FieldNames.adapter)=\(id.rawValue)"
        while true {
            let list = try await client.call(APICall("GET", paths.pods, query: [("labelSelector", selector)]))
            let pods = list["items"]?.items ?? []
            if pods.isEmpty { return }
            for pod in pods {
                guard let name = pod["metadata", "name"]?.text else { continue }
                if let left = pod["metadata", "deletionGracePeriodSeconds"]?.number, left <= seconds { continue }
                try await delete("\(paths.pods)/\(name)", options: ["gracePeriodSeconds": .integer(seconds)])
            }
            do throws(RuntimeError) {
                // Looked at again now and then: a pod may have been made by a controller that was late.
                try await state.wait(for: id, within: .seconds(5)) { Self.isGone(id, $0) }
            } catch {
                if error.code == .cancelled { throw KubernetesError(.cancelled, error.message) }
                if error.code == .unavailable { throw KubernetesError(.unavailable, error.message) }
            }
        }
    }
}

extension KubernetesClient {
    /// Removes what the cluster keeps of the templates of StatefulSets that were removed from above their pods: that stays
    /// as the pods do.
    ///
    /// - Parameter revision: `nil` stands for all.
    func removeHistory(
        of id: WorkloadID, revision: Int64? = nil, _ paths: ResourcePaths
    ) async throws(KubernetesError) {
        var selector = "\(FieldNames.ours),\(FieldNames.adapter)=\(id.rawValue)"
        if let revision { selector += ",\(FieldNames.revision)=\(revision)" }
        _ = try await call(APICall("DELETE", paths.controllerRevisions, query: [("labelSelector", selector)]))
    }
}

extension WorkloadSource {
    /// Stands for any, where only names matter.
    fileprivate static var none: WorkloadSource { .image(name: "", version: "") }
}
