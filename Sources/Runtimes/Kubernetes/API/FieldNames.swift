// SPDX-License-Identifier: MIT

/// The names that we write into objects.
///
/// Changing one orphans what older gateways have made.
enum FieldNames {
    /// Our field manager, and the value of ``managedBy``.
    static let manager = "mcp-gateway"
    static let managedBy = "app.kubernetes.io/managed-by"
    /// Label: the adapter's name.
    static let adapter = "adapter/name"
    /// Label: always `mcp`.
    static let type = "adapter/type"
    /// Annotation of a StatefulSet: the generation that it satisfies; of a pod: the one that it was made for.
    static let generation = "mcp-gateway.dev/generation"
    /// Annotation of the StatefulSet: what is run, in words.
    static let image = "mcp-gateway.dev/image"
    /// Annotation of the pods: which template they were made from.
    static let template = "mcp-gateway.dev/template"
    /// Annotation of the StatefulSet: how far its roll-out is (``RevisionNote``).
    static let rollout = "mcp-gateway.dev/rollout"
    /// Label of the pods: which StatefulSet of the adapter they belong to, as a number.
    static let revision = "mcp-gateway.dev/revision"
    /// Annotation of a gateway's Lease: the lives of pods that drain and have no sessions at that gateway.
    static let idle = "mcp-gateway.dev/idle"
    /// Annotation of a gateway's Lease: it has ended.
    static let ended = "mcp-gateway.dev/ended"
    /// Annotation of the pods: the restart token.
    static let restart = "mcp-gateway.dev/restart"
    /// Annotation of the Secret and the pods: changes with the values.
    static let secretVersion = "mcp-gateway.dev/secret-version"
    /// The container that runs the server.
    static let container = "server"

    static let ours = "\(managedBy)=\(manager)"
}
