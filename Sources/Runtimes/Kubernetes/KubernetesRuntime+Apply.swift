// SPDX-License-Identifier: MIT

internal import JSON
public import RuntimeContract

extension KubernetesRuntime {
    /// How often a change that somebody else was faster with is tried again.
    private static let conflictTries = 5

    /// Writes what `spec` wants, and returns when the watch shows it.
    public func apply(_ spec: WorkloadSpec) async throws(RuntimeError) -> ApplyOutcome {
        try validate(spec)
        return try await turns.run(.apply, spec.id) { () async throws(RuntimeError) -> ApplyOutcome in
            try await state.wait(for: spec.id, within: .seconds(30)) { $0.isKnown }
            try checkCapacity(spec)
            let outcome: ApplyOutcome
            do throws(KubernetesError) {
                outcome = try await write(spec)
            } catch {
                throw error.runtimeError(spec.id)
            }
            try await state.wait(for: spec.id, within: .seconds(15)) { view in
                view.revisions(of: spec.id).map { $0.generation >= spec.generation } ?? false
            }
            return outcome
        }
    }

    private func checkCapacity(_ spec: WorkloadSpec) throws(RuntimeError) {
        let others = state.publisher.snapshot.workloads.values.reduce(0) {
            $0 + ($1.id == spec.id ? 0 : $1.desiredReplicas)
        }
        guard others + spec.replicas <= configuration.capacity else {
            throw RuntimeError(
                .capacityExceeded,
                "\(spec.replicas) instances besides the \(others) of other workloads are more than \(configuration.capacity)",
                workload: spec.id)
        }
    }

    private func write(_ spec: WorkloadSpec) async throws(KubernetesError) -> ApplyOutcome {
        var attempt = 1
        while true {
            do throws(KubernetesError) {
                return try await writeOnce(spec)
            } catch {
                guard error.code == .conflict, error.isAnswer, attempt < Self.conflictTries else { throw error }
                attempt += 1
            }
        }
    }

    private func writeOnce(_ spec: WorkloadSpec) async throws(KubernetesError) -> ApplyOutcome {
        var manifests = Manifests(spec: spec, configuration: configuration)
        let found = try await statefulSets(of: spec.id)
        let sets = found.compactMap { StatefulSetState($0) }
        let revisions = WorkloadRevisions(sets)
        if revisions == nil, !sets.isEmpty {
            throw KubernetesError(.unavailable, "the StatefulSets of \(spec.id) are being removed")
        }
        if let known = revisions?.generation, known > spec.generation {
            throw KubernetesError(.superseded, "generation \(known) is there already")
        }
        manifests.secretVersion = try await writeSecret(manifests)
        let service = "\(paths.services)/\(manifests.serviceName)"
        if let found = try await client.find(service) { try refuseForeign(found, "Service", spec.id) }
        _ = try await client.call(.apply(service, manifests.service))
        let change = RevisionChange(to: spec, template: manifests.templateDigest, revisions, at: .now)
        if let change {
            for name in change.superseded {
                try await delete("\(paths.statefulSets)/\(name)", options: ["propagationPolicy": "Background"])
            }
            try await writeStatefulSet(manifests, change, found)
        }
        try await writeDisruptionBudget(manifests)
        guard revisions != nil else { return .created }
        return change?.isVisible == true ? .updated : .unchanged
    }

    private func writeStatefulSet(
        _ manifests: Manifests, _ change: RevisionChange, _ found: [JSONValue]
    ) async throws(KubernetesError) {
        let name = WorkloadRevisions.name(of: manifests.spec.id, revision: change.note.revision)
        let path = "\(paths.statefulSets)/\(name)"
        let present = found.first { $0["metadata", "name"]?.text == name }
        if present == nil {
            if let other = try await client.find(path) { try refuseForeign(other, "StatefulSet", manifests.spec.id) }
            // Made and not applied, which would change one that another gateway has made meanwhile; without what may be
            // taken away later, which only those who apply it can.
            var bare = manifests
            bare.spec.labels = [:]
            _ = try await client.call(
                APICall(
                    "POST", paths.statefulSets, query: [("fieldManager", FieldNames.manager)],
                    body: bare.statefulSet(change.note, replicas: change.replicas)))
            if manifests.spec.labels.isEmpty { return }
        }
        // What was just made has a newer version by now, if the cluster has begun with it.
        let version = present?["metadata", "resourceVersion"]?.text
        _ = try await client.call(
            .apply(path, manifests.statefulSet(change.note, replicas: change.replicas, resourceVersion: version)))
    }

    /// All that the workload has, as the API server knows them now.
    func statefulSets(of id: WorkloadID) async throws(KubernetesError) -> [JSONValue] {
        let selector = "\(FieldNames.ours),\(FieldNames.adapter)=\(id.rawValue)"
        return try await client.call(APICall("GET", paths.statefulSets, query: [("labelSelector", selector)]))["items"]?
            .items ?? []
    }

    /// Returns what changes with the values, or `nil` where there are none.
    private func writeSecret(_ manifests: Manifests) async throws(KubernetesError) -> String? {
        var manifests = manifests
        let path = "\(paths.secrets)/\(manifests.secretName)"
        let found = try await client.find(path)
        if manifests.spec.secretEnvironment.isEmpty {
            if let found, isOurs(found, manifests.spec.id) { try await delete(path) }
            return nil
        }
        var version = String(manifests.spec.generation)
        if let found {
            try refuseForeign(found, "Secret", manifests.spec.id)
            if let known = found["metadata", "annotations", FieldNames.secretVersion]?.text,
                found["data"]?.texts == manifests.secret["data"]?.texts
            {
                version = known
            }
        }
        manifests.secretVersion = version
        _ = try await client.call(.apply(path, manifests.secret))
        return version
    }

    private func writeDisruptionBudget(_ manifests: Manifests) async throws(KubernetesError) {
        let version = try await policyVersion.find(client)
        let path = "\(paths.disruptionBudgets(version))/\(manifests.name)"
        let found = try await client.find(path)
        if manifests.spec.replicas > 1 {
            if let found { try refuseForeign(found, "PodDisruptionBudget", manifests.spec.id) }
            _ = try await client.call(.apply(path, manifests.disruptionBudget(version: version)))
        } else if let found, isOurs(found, manifests.spec.id) {
            try await delete(path)
        }
    }

    func isOurs(_ object: JSONValue, _ id: WorkloadID) -> Bool {
        let labels = object["metadata", "labels"]?.texts ?? [:]
        return labels[FieldNames.managedBy] == FieldNames.manager && labels[FieldNames.adapter] == id.rawValue
    }

    private func refuseForeign(_ object: JSONValue, _ kind: String, _ id: WorkloadID) throws(KubernetesError) {
        guard !isOurs(object, id) else { return }
        let name = object["metadata", "name"]?.text ?? ""
        throw KubernetesError(
            .foreign, "there is a \(kind) '\(name)' that is not the gateway's; remove it, or take another name")
    }

    /// Deletes an object if it is there.
    func delete(_ path: String, options: JSONObject = [:]) async throws(KubernetesError) {
        do throws(KubernetesError) {
            _ = try await client.call(APICall("DELETE", path, body: .object(options)))
        } catch {
            guard error.code == .notFound else { throw error }
        }
    }
}
