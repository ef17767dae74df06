// SPDX-License-Identifier: MIT

public import NIOCore
public import NIOPosix
public import Probe
public import RuntimeContract
import Supervision

/// Watches servers that somebody else runs: each address of a workload is an instance, ready while it answers HTTP.
///
/// Starts and stops nothing. Names are resolved again with every look at a server; one that leads elsewhere is followed.
public final class RemoteRuntime: RuntimeDriver {
    /// What this driver can do.
    public let capabilities = RuntimeCapabilities(
        name: "remote", survivesGatewayRestart: false, maximumReplicas: 16, sources: [.remote], enforceableLimits: [],
        keepsPreviousLogs: false, supportsWorkloadIdentity: false)
    private let supervisor: Supervisor<RemoteLauncher>
    private let publisher: RuntimeStatePublisher

    /// A driver with nothing in it.
    ///
    /// - Parameters:
    ///   - group: where servers are asked from.
    ///   - resolutionLimit: how long a name may take to be resolved.
    ///   - backoff: how long to wait before a server that did not answer is asked again.
    ///   - secure: encrypts connections to servers at `https` addresses, which can't be reached without.
    public init(
        group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton, resolutionLimit: Duration = .seconds(5),
        backoff: Backoff = Backoff(initial: .milliseconds(500), maximum: .seconds(15)), secure: HTTPProbe.Secure? = nil
    ) {
        let publisher = RuntimeStatePublisher()
        self.publisher = publisher
        supervisor = Supervisor(
            launcher: RemoteLauncher(group: group, resolutionLimit: resolutionLimit, secure: secure), backoff: backoff,
            maximumInstances: 10_000
        ) { id, status in
            publisher.update { $0.workloads[id] = status }
        }
    }

    /// Watches until graceful shutdown or cancellation.
    public func run() async {
        await supervisor.run()
        publisher.finish()
    }

    /// Checks that `spec` names servers.
    public func validate(_ spec: WorkloadSpec) throws(RuntimeError) {
        try SpecRules.check(spec, capabilities: capabilities)
        guard spec.transport != .stdio else {
            throw RuntimeError(.invalidSpec, "transport: stdio does not go over a network", workload: spec.id)
        }
    }

    /// Finds nothing from before: there is nothing to find.
    public func recover(_ desired: [WorkloadSpec]) async throws(RuntimeError) -> RecoveryReport {
        supervisor.recoveryReport(desired)
    }

    /// Watches the servers of `spec` from now on.
    public func apply(_ spec: WorkloadSpec) async throws(RuntimeError) -> ApplyOutcome {
        try validate(spec)
        return try await supervisor.apply(spec)
    }

    /// Watches the servers of `id` no longer.
    public func remove(_ id: WorkloadID, gracePeriod: Duration) async throws(RuntimeError) {
        try await supervisor.remove(id, gracePeriod: gracePeriod)
    }

    /// Ends the watch over a server that is no longer in use.
    public func release(_ instance: InstanceID, incarnation: Incarnation) async {
        supervisor.release(instance, incarnation: incarnation)
    }

    /// What is known of the workload.
    public func status(of id: WorkloadID) async throws(RuntimeError) -> WorkloadStatus {
        guard let status = publisher.snapshot.workloads[id] else {
            throw RuntimeError(.notFound, "there is no such workload", workload: id)
        }
        return status
    }

    /// The state of all workloads, and each newer one.
    public func observe() -> RuntimeEvents { publisher.events() }

    /// Whoever runs the server has its log.
    public func logs(of instance: InstanceID, options: LogOptions) async throws(RuntimeError) -> LogStream {
        throw RuntimeError(
            .notFound, "\(instance) is run by somebody else, who has its log", workload: instance.workload)
    }

    /// The newest state.
    var snapshot: RuntimeSnapshot { publisher.snapshot }

    /// Whether `id` is watched.
    func holds(_ id: WorkloadID) -> Bool { supervisor.status(of: id) != nil }
}
