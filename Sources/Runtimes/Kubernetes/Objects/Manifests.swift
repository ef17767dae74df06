// SPDX-License-Identifier: MIT

internal import JSON
internal import RuntimeContract

/// The objects that a workload is made of, as they are applied.
///
/// Pure; the same spec gives the same bytes.
struct Manifests: Sendable {
    /// The user and group of every server.
    static let user: Int64 = 1100
    static let defaultPort: UInt16 = 8000
    /// The port of the Service, whatever that of the pods is.
    static let servicePort: Int64 = 8000

    var spec: WorkloadSpec
    let configuration: KubernetesRuntimeConfiguration
    /// Changes with the secret values.
    var secretVersion: String?

    var name: String { spec.id.rawValue }
    var serviceName: String { "\(name)-service" }
    var secretName: String { "\(name)-secrets" }
    var port: UInt16 { spec.port ?? Self.defaultPort }

    /// The image's full name: a digest is joined by `@`.
    var image: String {
        guard case .image(let name, let version, _) = spec.source else { return "" }
        let prefix = configuration.registry.map { $0 + "/" } ?? ""
        return prefix + name + (version.hasPrefix("sha256:") ? "@" : ":") + version
    }

    // MARK: - Objects

    var service: JSONValue {
        object(
            "v1", "Service", serviceName,
            spec: [
                "clusterIP": "None",
                // So that bound sessions of a pod that is not ready, or on its way out, still find it.
                "publishNotReadyAddresses": true,
                "selector": selector,
                "ports": [
                    [
                        "name": "mcp", "protocol": "TCP", "port": .integer(Self.servicePort),
                        "targetPort": .integer(Int64(port)),
                    ]
                ],
            ])
    }

    var secret: JSONValue {
        let data = spec.secretEnvironment.mapValues { Base64.encode(Array($0.exposed.utf8)) }
        return object(
            "v1", "Secret", secretName, annotations: secretVersion.map { [FieldNames.secretVersion: $0] } ?? [:],
            extra: ["type": "Opaque", "data": .strings(data)])
    }

    /// - Parameter version: `policy/v1`, or `policy/v1beta1` of clusters before 1.21.
    func disruptionBudget(version: String) -> JSONValue {
        object(
            version, "PodDisruptionBudget", name,
            spec: ["maxUnavailable": 1, "selector": ["matchLabels": selector]])
    }

    /// Differs exactly when pods that exist can't go on as they are.
    ///
    /// The time that a pod has for its end is part of it and not of this.
    var templateDigest: String { Fingerprint.of(JSONValue.object(template(gracePeriod: nil)).bytes) }

    /// - Parameters:
    ///   - replicas: How many pods the cluster is to keep.
    ///   - resourceVersion: What the object must still have; `nil` when there is none.
    func statefulSet(_ note: RevisionNote, replicas: Int, resourceVersion: String? = nil) -> JSONValue {
        var template = template(gracePeriod: spec.gracePeriod)
        var metadata = template["metadata"].flatMap(\.object) ?? JSONObject()
        var annotations = metadata["annotations"].flatMap(\.object) ?? JSONObject()
        annotations.set(FieldNames.template, .string(templateDigest))
        annotations.set(FieldNames.generation, .string(String(spec.generation)))
        metadata.set("annotations", .object(annotations))
        // So that no two StatefulSets of a workload select the same pods.
        let revision = String(note.revision)
        var labels = metadata["labels"].flatMap(\.object) ?? JSONObject()
        labels.set(FieldNames.revision, .string(revision))
        metadata.set("labels", .object(labels))
        template.set("metadata", .object(metadata))
        var selected = selectedLabels
        selected[FieldNames.revision] = revision
        let notes = [
            FieldNames.generation: String(spec.generation), FieldNames.image: imageInWords,
            FieldNames.rollout: note.text,
        ]
        var result = object(
            "apps/v1", "StatefulSet", WorkloadRevisions.name(of: spec.id, revision: note.revision), annotations: notes,
            labels: spec.labels,
            spec: [
                "serviceName": .string(serviceName),
                "replicas": .integer(Int64(replicas)),
                "podManagementPolicy": "Parallel",
                // Pods of another template belong to another StatefulSet; what may differ here can wait for their end.
                "updateStrategy": ["type": "OnDelete"],
                "selector": ["matchLabels": .strings(selected)],
                "template": .object(template),
            ])
        if let resourceVersion, case .object(var whole) = result, case .object(var metadata)? = whole["metadata"] {
            metadata.set("resourceVersion", .string(resourceVersion))
            whole.set("metadata", .object(metadata))
            result = .object(whole)
        }
        return result
    }

    private var imageInWords: String {
        guard case .image(let name, let version, _) = spec.source else { return "" }
        return "\(name):\(version)"
    }

    // MARK: - The pod

    private func template(gracePeriod: Duration?) -> JSONObject {
        var annotations: [String: String] = [:]
        if spec.restartToken != 0 { annotations[FieldNames.restart] = String(spec.restartToken) }
        if let secretVersion { annotations[FieldNames.secretVersion] = secretVersion }
        var podLabels = ourLabels
        if spec.usesWorkloadIdentity { podLabels["azure.workload.identity/use"] = "true" }
        var pod: JSONObject = [
            "automountServiceAccountToken": .bool(spec.usesWorkloadIdentity),
            "enableServiceLinks": false,
            "securityContext": [
                "runAsNonRoot": true, "runAsUser": .integer(Self.user), "runAsGroup": .integer(Self.user),
                "fsGroup": .integer(Self.user), "seccompProfile": ["type": "RuntimeDefault"],
            ],
            "containers": [.object(container)],
            "volumes": .array([["name": "tmp", "emptyDir": [:]]] + (bridge?.volumes ?? [])),
        ]
        if let gracePeriod {
            pod.set("terminationGracePeriodSeconds", .integer(max(1, gracePeriod.wholeSeconds)))
        }
        if let bridge { pod.set("initContainers", [bridge.initContainer(security: security, resources: resources)]) }
        if spec.usesWorkloadIdentity {
            pod.set("serviceAccountName", .string(configuration.workloadServiceAccount))
        }
        if !configuration.pullSecrets.isEmpty {
            pod.set(
                "imagePullSecrets",
                .array(configuration.pullSecrets.map { ["name": .string($0)] }))
        }
        return [
            "metadata": ["labels": .strings(podLabels), "annotations": .strings(annotations)],
            "spec": .object(pod),
        ]
    }

    /// What a server on standard input and output is run with.
    private var bridge: BridgeManifest? {
        guard spec.transport == .stdio, let image = configuration.bridgeImage else { return nil }
        return BridgeManifest(image: image)
    }

    private var security: JSONValue {
        [
            "allowPrivilegeEscalation": false, "capabilities": ["drop": ["ALL"]],
            "readOnlyRootFilesystem": .bool(configuration.readOnlyImage),
        ]
    }

    private var container: JSONObject {
        var container = plainContainer
        guard case .image(_, _, let command?) = spec.source else { return container }
        let words = ([command.executable] + command.arguments).map { word in
            Self.literal(word.replacing("{port}", with: String(port)).replacing("{host}", with: "0.0.0.0"))
        }
        container.set("command", .array(((bridge?.command(port: port) ?? []) + words).map { .string($0) }))
        if let directory = command.workingDirectory { container.set("workingDir", .string(directory)) }
        return container
    }

    private var plainContainer: JSONObject {
        let readiness = spec.readiness
        let probe: JSONValue = ["port": .integer(Int64(port))]
        let timeout = JSONValue.integer(max(1, readiness.timeout.wholeSeconds))
        return [
            "name": .string(FieldNames.container),
            "image": .string(image),
            "imagePullPolicy": image.hasSuffix(":latest") ? "Always" : "IfNotPresent",
            "env": environment,
            "ports": [["name": "mcp", "protocol": "TCP", "containerPort": .integer(Int64(port))]],
            "securityContext": security,
            "resources": resources,
            "volumeMounts": .array([["name": "tmp", "mountPath": "/tmp"]] + (bridge?.mounts(readOnly: true) ?? [])),
            "startupProbe": [
                "tcpSocket": probe, "periodSeconds": 1, "timeoutSeconds": timeout,
                "failureThreshold": .integer(max(1, readiness.startupTimeout.wholeSeconds)),
            ],
            "readinessProbe": [
                "tcpSocket": probe, "periodSeconds": .integer(probePeriod), "timeoutSeconds": timeout,
                "failureThreshold": .integer(max(1, unreadyAfter / probePeriod)),
            ],
        ]
    }

    /// For how many seconds a ready server has to be silent.
    private var unreadyAfter: Int64 {
        max(1, spec.readiness.period.wholeSeconds) * Int64(spec.readiness.failureThreshold)
    }

    /// Often, since some kubelets look at a server that has started only when the next period is over; for as long as
    /// before, by more failures.
    private var probePeriod: Int64 { min(2, max(1, spec.readiness.period.wholeSeconds)) }

    /// In the order of the names, so that equal environments make equal pods.
    private var environment: JSONValue {
        var open = ["HOST": "0.0.0.0", "PORT": String(port)]
        for name in spec.secretEnvironment.keys { open[name] = nil }
        open.merge(spec.environment) { $1 }
        var variables = open.mapValues { JSONValue.object(["value": .string(Self.literal($0))]) }
        for name in spec.secretEnvironment.keys {
            variables[name] = ["valueFrom": ["secretKeyRef": ["name": .string(secretName), "key": .string(name)]]]
        }
        return .array(
            variables.sorted { $0.key < $1.key }.map { name, source in
                var variable: JSONObject = ["name": .string(name)]
                for member in source.object?.members ?? [] { variable.set(member.name, member.value) }
                return .object(variable)
            })
    }

    /// `$(NAME)` in a value would be replaced by the kubelet; `$$` stands for one dollar.
    private static func literal(_ value: String) -> String {
        value.split(separator: "$", omittingEmptySubsequences: false).joined(separator: "$$")
    }

    private var resources: JSONValue {
        let standard = configuration.resources
        let cpu = spec.limits.cpuMillicores ?? standard.limits.cpuMillicores
        let memory = spec.limits.memoryBytes ?? standard.limits.memoryBytes
        var limits: [String: String] = ["ephemeral-storage": String(standard.ephemeralBytes)]
        limits["cpu"] = cpu.map { "\($0)m" }
        limits["memory"] = memory.map { String($0) }
        return [
            "requests": .strings([
                "cpu": "\(min(standard.requestMillicores, cpu ?? .max))m",
                "memory": String(min(standard.requestMemoryBytes, memory ?? .max)),
            ]),
            "limits": .strings(limits),
        ]
    }

    // MARK: - What all have

    private var selectedLabels: [String: String] {
        [FieldNames.managedBy: FieldNames.manager, FieldNames.adapter: name]
    }

    /// The pods of all revisions.
    var selector: JSONValue { .strings(selectedLabels) }

    private var ourLabels: [String: String] {
        [FieldNames.managedBy: FieldNames.manager, FieldNames.adapter: name, FieldNames.type: "mcp"]
    }

    private func object(
        _ version: String, _ kind: String, _ name: String, annotations: [String: String] = [:],
        labels: [String: String] = [:], spec: JSONObject? = nil, extra: JSONObject = [:]
    ) -> JSONValue {
        var metadata: JSONObject = [
            "name": .string(name), "labels": .strings(labels.merging(ourLabels) { $1 }),
        ]
        if !annotations.isEmpty { metadata.set("annotations", .strings(annotations)) }
        var object: JSONObject = [
            "apiVersion": .string(version), "kind": .string(kind), "metadata": .object(metadata),
        ]
        if let spec { object.set("spec", .object(spec)) }
        for member in extra.members { object.set(member.name, member.value) }
        return .object(object)
    }
}

extension JSONValue {
    fileprivate var object: JSONObject? {
        guard case .object(let object) = self else { return nil }
        return object
    }
}

extension Duration {
    /// Whole seconds, rounded up.
    var wholeSeconds: Int64 {
        let (seconds, attoseconds) = components
        return attoseconds > 0 ? seconds + 1 : seconds
    }
}
