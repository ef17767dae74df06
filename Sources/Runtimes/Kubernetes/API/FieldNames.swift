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
    /// Annotation of the StatefulSet: the generation that it satisfies.
    static let generation = "mcp-gateway.dev/generation"
    /// Annotation of the StatefulSet: what is run, in words.
    static let image = "mcp-gateway.dev/image"
    /// Annotation of the pods: which template they were made from.
    static let template = "mcp-gateway.dev/template"
    /// Annotation of the StatefulSet: which generation was the last one of each earlier template (``TemplateHistory``).
    static let templates = "mcp-gateway.dev/templates"
    /// Annotation of the pods: the restart token.
    static let restart = "mcp-gateway.dev/restart"
    /// Annotation of the Secret and the pods: changes with the values.
    static let secretVersion = "mcp-gateway.dev/secret-version"
    /// The container that runs the server.
    static let container = "server"

    static let ours = "\(managedBy)=\(manager)"
}
