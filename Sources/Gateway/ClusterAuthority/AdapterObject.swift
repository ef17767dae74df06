// SPDX-License-Identifier: MIT

internal import JSON
internal import KubernetesRuntime
internal import Model
internal import RuntimeContract
internal import Store

/// The custom resource of an adapter.
struct AdapterObject: Sendable {
    static let apiVersion = "mcp-gateway.dev/v1alpha1"
    /// Keeps the object until everything that was made for it is gone.
    static let finalizer = "mcp-gateway.dev/workload"
    /// Annotation: the principal that created it through the API.
    static let createdBy = "mcp-gateway.dev/created-by"
    /// Who counts as the creator of what was created otherwise.
    static let clusterPrincipal = "kubernetes"
    /// The fields of the spec that stand for the API's `secretEnvironmentVariables` and `secretHeaders`.
    static let secretFields = ["secretEnvironment", "secretHeaders"]

    let value: JSONValue
    let name: AdapterName
    let uid: String
    let resourceVersion: String
    let generation: Int64

    /// `nil` for what no API server sends.
    init?(_ value: JSONValue) {
        guard let name = value["metadata", "name"]?.text.flatMap({ AdapterName($0) }),
            let uid = value["metadata", "uid"]?.text,
            let resourceVersion = value["metadata", "resourceVersion"]?.text,
            let generation = value["metadata", "generation"]?.number
        else { return nil }
        self.value = value
        self.name = name
        self.uid = uid
        self.resourceVersion = resourceVersion
        self.generation = generation
    }

    var deletedAt: Timestamp? { value["metadata", "deletionTimestamp"]?.text.flatMap(ClusterAPI.moment) }
    var isBeingDeleted: Bool { value["metadata", "deletionTimestamp"] != nil }
    var finalizers: [String] { value["metadata", "finalizers"]?.items.compactMap(\.text) ?? [] }
    /// Whether somebody else runs the servers.
    var isRemote: Bool { value["spec", "url"] != nil }
    /// Which of ``secretFields`` it may have.
    var secretField: String { Self.secretFields[isRemote ? 1 : 0] }
    var secretName: String? { value["spec", secretField, "secretName"]?.text }
    /// How many instances are wanted; of servers that somebody else runs, all that are named, or none.
    var replicas: Int64 {
        let number = value["spec", "replicaCount"]?.number ?? 1
        guard let addresses = value["spec", "url"] else { return number }
        return number == 0 ? 0 : Int64(max(1, addresses.items.count))
    }

    /// Whether all that the store keeps of it is the same.
    func saysTheSame(as other: AdapterObject) -> Bool {
        uid == other.uid && generation == other.generation && isBeingDeleted == other.isBeingDeleted
    }

    /// Whether this is that version, or a later one, of the object.
    ///
    /// Versions are numbers in every API server that there is, and by contract since Kubernetes 1.35.
    func isAtLeast(_ version: String) -> Bool {
        guard let own = UInt64(resourceVersion), let other = UInt64(version) else { return resourceVersion == version }
        return own >= other
    }

    /// What the store is to keep.
    ///
    /// - Parameter secrets: the values of the Secret that it names.
    /// - Throws: every fault of the spec.
    func stored(secrets: [String: Secret], limits: AdapterLimits) throws(ValidationError) -> StoredAdapter {
        var fields = JSONObject()
        if case .object(let spec)? = value["spec"] {
            for member in spec.members where member.name != secretField { fields.set(member.name, member.value) }
        }
        // Names of fields are checked as the API does; the Secret says what it likes.
        if isRemote { fields.set(secretField, .strings(secrets.mapValues(\.exposed))) }
        let draft = try AdapterDraft(.object(fields), name: .optional(name), limits: limits)
        var spec = try draft.spec(keepingSecretsOf: nil)
        guard !isRemote else { return stored(spec) }
        let twice = secrets.keys.filter { spec.environmentVariables[$0] != nil }.sorted()
        guard twice.isEmpty else {
            throw ValidationError(
                twice.map { FieldFault("environmentVariables.\($0)", .conflict, "must not be in the Secret too") })
        }
        spec.secretEnvironmentVariables = secrets
        return stored(spec)
    }

    private func stored(_ spec: AdapterSpec) -> StoredAdapter {
        let created = value["metadata", "creationTimestamp"]?.text.flatMap(ClusterAPI.moment) ?? .now
        return StoredAdapter(
            Adapter(
                name: name, uid: number, spec: spec, generation: generation,
                createdBy: value["metadata", "annotations", Self.createdBy]?.text ?? Self.clusterPrincipal,
                createdAt: created, lastUpdatedAt: lastWritten ?? created),
            deletedAt: isBeingDeleted ? deletedAt ?? .now : nil)
    }

    /// The same for every gateway: the first half of the object's UUID.
    var number: UInt64 {
        UInt64(uid.filter { $0 != "-" }.prefix(16), radix: 16) ?? 1
    }

    /// When the spec was last written, as the API server noted it.
    private var lastWritten: Timestamp? {
        (value["metadata", "managedFields"]?.items ?? [])
            .filter { $0["fieldsV1", "f:spec"] != nil }
            .compactMap { $0["time"]?.text.flatMap(ClusterAPI.moment) }.max()
    }

    // MARK: - Writing

    /// The spec of the resource for that of the API.
    static func spec(_ spec: AdapterSpec, secretName: String?) -> JSONObject {
        var fields = JSONObject()
        for member in spec.json.members
        where !["secretEnvironmentVariables", "secretHeaders"].contains(member.name) {
            fields.set(member.name, member.value)
        }
        if let secretName { fields.set(secretFields[spec.isRemote ? 1 : 0], ["secretName": .string(secretName)]) }
        return fields
    }

    /// A new resource.
    static func new(_ adapter: Adapter, secretName: String?) -> JSONValue {
        [
            "apiVersion": .string(apiVersion), "kind": "Adapter",
            "metadata": [
                "name": .string(adapter.name.rawValue), "finalizers": [.string(finalizer)],
                "annotations": [createdBy: .string(adapter.createdBy)],
            ],
            "spec": .object(spec(adapter.spec, secretName: secretName)),
        ]
    }

    /// This resource with another spec; refused by the API server if it has changed meanwhile.
    func replacing(_ adapter: Adapter, secretName: String?) -> JSONValue {
        guard case .object(var whole) = value else { return value }
        whole.set("spec", .object(Self.spec(adapter.spec, secretName: secretName)))
        return .object(whole)
    }

    /// What makes Kubernetes remove a thing together with this one.
    var owner: JSONValue {
        [
            "apiVersion": .string(Self.apiVersion), "kind": "Adapter", "name": .string(name.rawValue),
            "uid": .string(uid),
        ]
    }
}
