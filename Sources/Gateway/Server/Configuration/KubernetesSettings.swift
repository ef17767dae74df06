// SPDX-License-Identifier: MIT

internal import KubernetesRuntime
internal import RuntimeContract

/// What can be set of the runtime `kubernetes`, checked.
public struct KubernetesSettings: Hashable, Sendable {
    /// The kubeconfig; absolute.
    ///
    /// `nil` looks where `kubectl` does, and at the pod's service account.
    public var kubeconfig: String?
    /// The context of the kubeconfig.
    public var context: String?
    /// The namespace of the servers.
    public var namespace: String?
    /// Whether adapters are custom resources of the cluster, instead of rows in the gateway's database.
    public var writesResources: Bool
    /// What is put before the names of images.
    public var registry: String?
    /// Secrets to pull images with.
    public var pullSecrets: [String]
    /// The gateway's own image.
    public var bridgeImage: String?
    /// The service account of servers with an identity.
    public var workloadServiceAccount: String
    /// Whether servers can write to no place but `/tmp`.
    public var readOnlyImage: Bool
    /// Thousandths of a processor that are promised.
    public var requestedMillicores: Int
    /// Bytes of memory that are promised.
    public var requestedMemory: Int
    /// Thousandths of a processor at most.
    public var maximumMillicores: Int
    /// Bytes of memory at most.
    public var maximumMemory: Int
    /// Bytes of files at most.
    public var maximumFiles: Int

    init(_ reader: inout SettingReader, absolute: (String) -> String?) {
        kubeconfig = reader.value("kubernetes.kubeconfig", default: nil) { absolute($0).map(Optional.some) }
        context = reader.value("kubernetes.context", default: nil) { $0.isEmpty ? nil : .some($0) }
        namespace = reader.value("kubernetes.namespace", default: nil) { Self.isLabel($0) ? .some($0) : nil }
        writesResources = reader.value("kubernetes.authority", default: false) { text in
            switch text {
            case "gateway": false
            case "cluster": true
            default: nil
            }
        }
        registry = reader.value("kubernetes.registry", default: nil) { Self.isRegistry($0) ? .some($0) : nil }
        pullSecrets = reader.value("kubernetes.pullSecrets", default: []) { text in
            Quantities.list(text, where: Self.isName)
        }
        bridgeImage = reader.value("kubernetes.bridgeImage", default: nil) { Self.isImage($0) ? .some($0) : nil }
        workloadServiceAccount = reader.value("kubernetes.workloadServiceAccount", default: "workload-sa") {
            Self.isName($0) ? $0 : nil
        }
        readOnlyImage = reader.value("kubernetes.readOnlyImage", default: true, Quantities.flag)
        let millicores = { (text: String) in Quantities.integer(text, in: 1...1_000_000) }
        let bytes = { (text: String) in Quantities.bytes(text, in: 1 << 20...1 << 40) }
        requestedMillicores = reader.value("kubernetes.requests.cpuMillicores", default: 250, millicores)
        requestedMemory = reader.value("kubernetes.requests.memory", default: 256 << 20, bytes)
        maximumMillicores = reader.value("kubernetes.limits.cpuMillicores", default: 1000, millicores)
        maximumMemory = reader.value("kubernetes.limits.memory", default: 512 << 20, bytes)
        maximumFiles = reader.value("kubernetes.limits.ephemeralStorage", default: 2 << 30, bytes)
    }

    func runtimeConfiguration(_ limits: GatewayConfiguration.Limits) -> KubernetesRuntimeConfiguration {
        KubernetesRuntimeConfiguration(
            kubeconfig: kubeconfig, context: context, namespace: namespace, registry: registry,
            pullSecrets: pullSecrets, workloadServiceAccount: workloadServiceAccount, bridgeImage: bridgeImage,
            capacity: limits.instances, maximumReplicas: limits.replicas,
            resources: PodResources(
                requestMillicores: requestedMillicores, requestMemoryBytes: Int64(requestedMemory),
                limits: ResourceLimits(memoryBytes: Int64(maximumMemory), cpuMillicores: maximumMillicores),
                ephemeralBytes: Int64(maximumFiles)),
            readOnlyImage: readOnlyImage)
    }

    /// A label of RFC 1123, as names of namespaces are.
    private static func isLabel(_ text: String) -> Bool {
        text.utf8.count <= 63 && isName(text) && !text.contains(".")
    }

    /// A subdomain of RFC 1123, as names of most things are.
    private static func isName(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 253
            && text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
                !label.isEmpty && !label.hasPrefix("-") && !label.hasSuffix("-")
                    && label.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == 45 }
            }
    }

    private static func isRegistry(_ text: String) -> Bool {
        !text.isEmpty && !text.contains("://") && !text.hasPrefix("/") && !text.hasSuffix("/")
            && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
    }

    private static func isImage(_ text: String) -> Bool {
        isRegistry(text) && text.split(separator: "/").last.map { $0.contains(":") } == true
    }
}
