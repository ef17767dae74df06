// SPDX-License-Identifier: MIT

internal import JSON
internal import KubernetesRuntime
internal import Model
internal import RuntimeContract

/// The values of secret variables and header fields are in Secrets, which the resources name.
///
/// Those that the gateway makes are never changed, only replaced, and belong to their adapter, so that Kubernetes removes them
/// with it.
extension ClusterAuthority {
    private var secretCollection: String { "/api/v1/namespaces/\(api.namespace)/secrets" }

    private static let label = "mcp-gateway.dev/environment-of"

    /// The values that `object` refers to.
    ///
    /// - Throws: also when there is no such Secret.
    func secrets(of object: AdapterObject) async throws -> [String: Secret] {
        guard let name = object.secretName, !object.isBeingDeleted else { return [:] }
        guard Self.isName(name) else {
            throw ValidationError([
                FieldFault("\(object.secretField).secretName", .format, "must be the name of a Secret")
            ])
        }
        let values: [String: String?]
        do throws(ClusterFault) {
            values = ClusterAPI.values(ofSecret: try await api.call("GET", "\(secretCollection)/\(name)"))
        } catch {
            guard error.code == .notFound else { throw error }
            throw ValidationError([
                FieldFault(
                    "\(object.secretField).secretName", .conflict, "there is no Secret \(name) in this namespace")
            ])
        }
        var secrets: [String: Secret] = [:]
        for (key, value) in values {
            guard let value, object.isRemote || Self.isVariable(key) else {
                throw ValidationError([
                    FieldFault(
                        "\(object.secretField).secretName", .format,
                        "the Secret \(name) must have names of variables as keys, and text as values")
                ])
            }
            secrets[key] = Secret(value)
        }
        return secrets
    }

    /// Makes a Secret with the values of `adapter`, if it has any, and returns its name.
    func makeSecret(_ adapter: Adapter, owner: AdapterObject?) async throws(ClusterFault) -> String? {
        let values = adapter.spec.secrets.mapValues(\.exposed)
        guard !values.isEmpty else { return nil }
        let suffix = String(UInt64.random(in: (1 << 40)...(1 << 48)), radix: 36)
        let name = "\(adapter.name)-\(adapter.spec.isRemote ? "headers" : "environment")-\(suffix)"
        var metadata: JSONObject = [
            "name": .string(name), "labels": [Self.label: .string(adapter.name.rawValue)],
        ]
        if let owner { metadata.set("ownerReferences", [owner.owner]) }
        _ = try await api.call(
            "POST", secretCollection, query: [("fieldManager", "mcp-gateway")],
            body: [
                "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "immutable": true,
                "metadata": .object(metadata), "data": ClusterAPI.data(ofSecret: values),
            ])
        return name
    }

    /// Makes a Secret belong to the adapter that it was made for.
    func own(_ secretName: String, _ object: AdapterObject) async throws(ClusterFault) {
        _ = try await api.call(
            "PATCH", "\(secretCollection)/\(secretName)", query: [("fieldManager", "mcp-gateway")],
            body: ["metadata": ["ownerReferences": [object.owner]]], contentType: "application/merge-patch+json")
    }

    /// Deletes a Secret if a gateway has made it; one that is left over for a while is no harm.
    func deleteSecret(_ name: String) async {
        let path = "\(secretCollection)/\(name)"
        guard let found = try? await api.call("GET", path), found["metadata", "labels", Self.label] != nil else {
            return
        }
        _ = try? await api.call("DELETE", path)
    }

    private static func isName(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 253
            && text.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == 45 || $0 == 46 }
    }

    private static func isVariable(_ text: String) -> Bool {
        guard let first = text.utf8.first, !(48...57).contains(first) else { return false }
        return text.utf8.count <= 256
            && text.utf8.allSatisfy {
                (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0) || $0 == 95
            }
    }
}
