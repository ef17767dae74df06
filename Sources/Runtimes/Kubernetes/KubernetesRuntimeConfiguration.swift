// SPDX-License-Identifier: MIT

public import RuntimeContract

/// What a Kubernetes driver needs to know of the cluster.
public struct KubernetesRuntimeConfiguration: Hashable, Sendable {
    /// A kubeconfig; `nil` takes `$KUBECONFIG`, then the service account of the pod we run in, then `~/.kube/config`.
    public var kubeconfig: String?
    /// Which context of the kubeconfig; `nil` takes its current one.
    public var context: String?
    /// The namespace of everything that is made; `nil` takes that of the credentials, or `adapter`.
    public var namespace: String?
    /// What is put in front of image names, with a slash: `registry.example.com/team`; `nil` leaves them as they are.
    public var registry: String?
    /// Secrets of the namespace to pull images with.
    public var pullSecrets: [String]
    /// The service account of servers that use the platform's workload identity.
    public var workloadServiceAccount: String
    /// The image of this gateway, whose entry point is its program: what stdio servers in images are run with; `nil`
    /// refuses such servers.
    public var bridgeImage: String?
    /// How many instances there may be at once, of all workloads together.
    public var capacity: Int
    /// How many replicas a workload may have.
    public var maximumReplicas: Int
    /// What an instance is promised, and may use at most where its spec says nothing.
    public var resources: PodResources
    /// Whether servers see their image read-only, with a writable `/tmp`.
    public var readOnlyImage: Bool

    /// Describes a cluster.
    public init(
        kubeconfig: String? = nil, context: String? = nil, namespace: String? = nil, registry: String? = nil,
        pullSecrets: [String] = [], workloadServiceAccount: String = "workload-sa", bridgeImage: String? = nil,
        capacity: Int = 10_000,
        maximumReplicas: Int = 1000, resources: PodResources = PodResources(), readOnlyImage: Bool = true
    ) {
        self.kubeconfig = kubeconfig
        self.context = context
        self.namespace = namespace
        self.registry = registry
        self.pullSecrets = pullSecrets
        self.workloadServiceAccount = workloadServiceAccount
        self.bridgeImage = bridgeImage
        self.capacity = capacity
        self.maximumReplicas = maximumReplicas
        self.resources = resources
        self.readOnlyImage = readOnlyImage
    }
}

/// What a pod is promised, and what it may use at most.
public struct PodResources: Hashable, Sendable {
    /// Thousandths of a processor that are promised.
    public var requestMillicores: Int
    /// Bytes of memory that are promised.
    public var requestMemoryBytes: Int64
    /// What holds where a spec sets no limit of its own.
    public var limits: ResourceLimits
    /// Bytes of files a pod may write.
    public var ephemeralBytes: Int64

    /// Describes resources.
    public init(
        requestMillicores: Int = 250, requestMemoryBytes: Int64 = 256 << 20,
        limits: ResourceLimits = ResourceLimits(memoryBytes: 512 << 20, cpuMillicores: 1000),
        ephemeralBytes: Int64 = 2 << 30
    ) {
        self.requestMillicores = requestMillicores
        self.requestMemoryBytes = requestMemoryBytes
        self.limits = limits
        self.ephemeralBytes = ephemeralBytes
    }
}
