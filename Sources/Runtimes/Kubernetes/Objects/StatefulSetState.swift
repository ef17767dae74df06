// SPDX-License-Identifier: MIT

internal import JSON
internal import RuntimeContract

/// What is used of a StatefulSet.
struct StatefulSetState: WatchedObject {
    var name: String
    var id: WorkloadID
    var generation: Int64
    var replicas: Int
    var image: String
    var template: String?
    var history: TemplateHistory
    var isBeingDeleted: Bool

    init?(_ object: JSONValue) {
        guard let name = object["metadata", "name"]?.text, let id = WorkloadID(name),
            object["metadata", "labels", FieldNames.adapter]?.text == name
        else { return nil }
        self.name = name
        self.id = id
        generation = object["metadata", "annotations", FieldNames.generation]?.text.flatMap { Int64($0) } ?? 0
        replicas = Int(object["spec", "replicas"]?.number ?? 1)
        image = object["metadata", "annotations", FieldNames.image]?.text ?? ""
        template = object["spec", "template", "metadata", "annotations", FieldNames.template]?.text
        history = TemplateHistory(object["metadata", "annotations", FieldNames.templates]?.text ?? "")
        isBeingDeleted = object["metadata", "deletionTimestamp"] != nil
    }
}

extension StatefulSetState {
    /// The newest generation that a pod of `template` satisfies.
    func generation(of template: String?) -> Int64 {
        if template == self.template { return generation }
        // An older one is all that is known of a template that is not in the history.
        return min(history.generation(of: template) ?? .max, max(generation - 1, 0))
    }
}
