// SPDX-License-Identifier: MIT

internal import JSON
internal import RuntimeContract

/// What is used of a Lease (`coordination.k8s.io`) by which a gateway says that it is there.
struct GatewayLease: WatchedObject {
    static let prefix = "mcp-gateway-"
    /// How often a gateway renews its own.
    static let period = Duration.seconds(5)
    /// For how long one is believed after it was last seen to change.
    static let duration = Duration.seconds(15)

    var name: String
    var createdAt: String
    /// By the clock of the gateway that it belongs to.
    var renewedAt: String
    /// The lives of draining pods that have no sessions there.
    var idle: Set<String>
    var hasEnded: Bool

    init?(_ object: JSONValue) {
        guard let name = object["metadata", "name"]?.text, name.hasPrefix(Self.prefix),
            let renewedAt = object["spec", "renewTime"]?.text
        else { return nil }
        self.name = name
        self.renewedAt = renewedAt
        createdAt = object["metadata", "creationTimestamp"]?.text ?? ""
        let annotations = object["metadata", "annotations"]?.texts ?? [:]
        idle = Set((annotations[FieldNames.idle] ?? "").split(separator: ",").map(String.init))
        hasEnded = annotations[FieldNames.ended] != nil
    }

    /// The object as it is applied.
    static func manifest(name: String, idle: Set<String>, hasEnded: Bool, at now: Timestamp) -> JSONValue {
        var annotations = [FieldNames.idle: idle.sorted().joined(separator: ",")]
        if hasEnded { annotations[FieldNames.ended] = "true" }
        return [
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": [
                "name": .string(name), "labels": [FieldNames.managedBy: .string(FieldNames.manager)],
                "annotations": .strings(annotations),
            ],
            "spec": [
                "holderIdentity": .string(name), "leaseDurationSeconds": .integer(duration.wholeSeconds),
                "renewTime": .string(KubernetesTime.text(now)),
            ],
        ]
    }
}
