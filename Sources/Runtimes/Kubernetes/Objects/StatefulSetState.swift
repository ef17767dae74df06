// SPDX-License-Identifier: MIT

internal import JSON
internal import RuntimeContract

/// What is used of a StatefulSet.
///
/// A workload has one for each revision of its pods: one that serves, at most one that is to take its place, and those
/// whose sessions come to their end.
struct StatefulSetState: WatchedObject {
    var name: String
    var id: WorkloadID
    /// The newest generation that its pods satisfy.
    var generation: Int64
    /// How many pods the cluster is to keep.
    var replicas: Int
    var image: String
    /// What the pods are made from.
    var template: String?
    var note: RevisionNote
    var createdAt: Timestamp
    var isBeingDeleted: Bool
    var uid: String
    /// Changes with everything that anybody writes, the cluster's own controllers included.
    var version: String

    init?(_ object: JSONValue) {
        guard let name = object["metadata", "name"]?.text,
            let id = object["metadata", "labels", FieldNames.adapter]?.text.flatMap({ WorkloadID($0) })
        else { return nil }
        self.name = name
        self.id = id
        uid = object["metadata", "uid"]?.text ?? ""
        version = object["metadata", "resourceVersion"]?.text ?? ""
        generation = object["metadata", "annotations", FieldNames.generation]?.text.flatMap { Int64($0) } ?? 0
        replicas = Int(clamping: object["spec", "replicas"]?.number ?? 1)
        image = object["metadata", "annotations", FieldNames.image]?.text ?? ""
        template = object["spec", "template", "metadata", "annotations", FieldNames.template]?.text
        createdAt =
            object["metadata", "creationTimestamp"]?.text.flatMap { KubernetesTime.parse($0) }
            ?? Timestamp(millisecondsSinceEpoch: 0)
        note =
            object["metadata", "annotations", FieldNames.rollout]?.text.flatMap { RevisionNote($0) }
            ?? RevisionNote(revision: 1, wanted: replicas, drainTime: .zero, servingSince: createdAt)
        isBeingDeleted = object["metadata", "deletionTimestamp"] != nil
    }
}
