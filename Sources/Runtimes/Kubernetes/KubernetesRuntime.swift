// SPDX-License-Identifier: MIT

internal import Curl
public import Logging
public import RuntimeContract
internal import ServiceLifecycle

/// Runs workloads in a Kubernetes cluster: a headless Service each, and a StatefulSet for each revision of its pods.
///
/// The cluster's own controllers keep the pods; this driver writes what is wanted, watches, and rolls out by the rules of
/// ``Rollout``. Workloads go on when it ends. Any number of drivers may work on one namespace: one of them leads the
/// roll-outs (``GatewayPeers``), and what they have to agree on stands on the objects (``RevisionNote``).
public final class KubernetesRuntime: RuntimeDriver {
    /// What this driver can do.
    public let capabilities: RuntimeCapabilities
    let configuration: KubernetesRuntimeConfiguration
    /// The namespace of everything.
    public let namespace: String
    let client: KubernetesClient
    let state = ClusterState()
    let turns = WorkloadTurns()
    let paths: ResourcePaths
    let policyVersion = PolicyVersion()
    private let presence: GatewayPresence
    private let logger: Logger

    /// A driver that asks and starts nothing before ``run()`` is called.
    ///
    /// - Parameters:
    ///   - configuration: what there is to know of the cluster.
    ///   - environment: that of this process, where the cluster may be named.
    ///   - logger: hears of lost and regained contact.
    /// - Throws: `forbidden`, when the kubeconfig or the service account can't be read.
    public init(
        configuration: KubernetesRuntimeConfiguration, environment: [String: String], logger: Logger
    ) throws(RuntimeError) {
        let access: ClusterAccess
        do throws(KubernetesError) {
            access = try ClusterAccess.load(
                kubeconfig: configuration.kubeconfig, context: configuration.context, environment: environment)
        } catch {
            throw error.runtimeError(nil)
        }
        self.configuration = configuration
        self.logger = logger
        let namespace = configuration.namespace ?? access.namespace ?? "adapter"
        self.namespace = namespace
        paths = ResourcePaths(namespace: namespace)
        client = KubernetesClient(credentials: CredentialSource(access), curl: CurlClient())
        capabilities = RuntimeCapabilities(
            name: "kubernetes", survivesGatewayRestart: true, maximumReplicas: configuration.maximumReplicas,
            sources: [.image], enforceableLimits: [.memory, .cpu], keepsPreviousLogs: true,
            supportsWorkloadIdentity: true, rollsOutBeside: true)
        presence = GatewayPresence(client: client, paths: paths, logger: logger)
    }

    /// Watches until graceful shutdown or cancellation; what runs goes on.
    public func run() async {
        await cancelWhenGracefulShutdown { [self] in
            await withDiscardingTaskGroup { group in
                group.addTask { await self.watchStatefulSets() }
                group.addTask { await self.watchPods() }
                group.addTask { await self.presence.run() }
                group.addTask { await self.leadRollouts() }
            }
        }
        await presence.end()
        state.publisher.finish()
        client.curl.close()
    }

    private func watchStatefulSets() async {
        let contact = ContactLog(logger, what: "statefulsets")
        await Watcher<StatefulSetState>(client: client, path: paths.statefulSets, selector: FieldNames.ours) {
            [state] machine in
            contact.note(machine.isInContact, machine.lastError)
            state.update { $0.follow(machine) }
        }.run()
    }

    private func watchPods() async {
        let contact = ContactLog(logger, what: "pods")
        await Watcher<PodState>(client: client, path: paths.pods, selector: FieldNames.ours) { [state] machine in
            contact.note(machine.isInContact, machine.lastError)
            state.update { $0.follow(machine) }
        }.run()
    }

    private func leadRollouts() async {
        await RolloutLeader(client: client, paths: paths, state: state, presence: presence, logger: logger).run()
    }

    /// Tells the other gateways; the pod is stopped when all of them have said the same.
    ///
    /// A gateway that has gone since the pod was made can't say it any more, so that the drain time decides then.
    public func release(_ instance: InstanceID, incarnation: Incarnation) async {
        let status = state.publisher.snapshot.workloads[instance.workload]
        let isDraining = status?.instances.contains {
            $0.id == instance && $0.incarnation == incarnation && $0.phase == .draining
        }
        if isDraining == true { presence.release(incarnation) }
    }

    /// Checks that `spec` could run: the rules for every driver, and what a cluster can take.
    public func validate(_ spec: WorkloadSpec) throws(RuntimeError) {
        try SpecRules.check(spec, capabilities: capabilities)
        try ClusterRules.check(spec, hasBridge: configuration.bridgeImage != nil)
    }

    /// What the cluster holds of ours: survives every gateway.
    public func recover(_ desired: [WorkloadSpec]) async throws(RuntimeError) -> RecoveryReport {
        try await state.wait(for: nil, within: .seconds(30)) { $0.isKnown }
        let present = Set(state.publisher.snapshot.workloads.keys)
        let wanted = Set(desired.map(\.id))
        return RecoveryReport(
            adopted: wanted.intersection(present), missing: wanted.subtracting(present),
            orphaned: present.subtracting(wanted))
    }

    /// What is known of the workload now.
    public func status(of id: WorkloadID) async throws(RuntimeError) -> WorkloadStatus {
        guard let status = state.publisher.snapshot.workloads[id] else {
            throw RuntimeError(.notFound, "there is no such workload", workload: id)
        }
        return status
    }

    /// The state of all workloads, and each newer one.
    public func observe() -> RuntimeEvents { state.publisher.events() }
}
