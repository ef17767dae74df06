// SPDX-License-Identifier: MIT

public import ServiceLifecycle

/// Runs workloads somewhere: as local processes, as StatefulSets of a cluster.
///
/// Declarative and level-triggered: the caller says what it wants as often as it likes, the driver makes it true and
/// keeps it true. `run()` watches and supervises until graceful shutdown or cancellation; every other member may be
/// called from any task while it runs, and concurrently: calls about one workload take effect one after the other.
///
/// After `run()` has returned, workloads either all go on or have all ended, as
/// ``RuntimeCapabilities/survivesGatewayRestart`` says; there is no third outcome.
///
/// A caller that is cancelled gets `cancelled`; what was begun is either finished or picked up by the next `apply`
/// or `remove`. The conformance suite (target `RuntimeConformance`) is the precise form of this contract.
public protocol RuntimeDriver: Service {
    /// What this driver can do. No I/O.
    var capabilities: RuntimeCapabilities { get }

    /// Checks that this driver could run `spec`. Pure: looks at the spec and the driver's configuration only.
    ///
    /// - Throws: `invalidSpec` or `unsupported`, with a message that names the part at fault.
    func validate(_ spec: WorkloadSpec) throws(RuntimeError)

    /// Finds out what runs from before and takes it over. Stops nothing that belongs to a spec in `desired`.
    ///
    /// Called once before the first `apply`; calling it again gives the same answer.
    func recover(_ desired: [WorkloadSpec]) async throws(RuntimeError) -> RecoveryReport

    /// Makes `spec` the desired state of its workload. Returns once the platform has taken it up, not when it is
    /// ready: progress is seen through ``observe()``. Idempotent.
    ///
    /// A spec that does not ``WorkloadSpec/runsLike(_:)`` the present one is rolled out. With
    /// ``RuntimeCapabilities/rollsOutBeside``, its instances are started beside the old ones, which take all sessions
    /// until every new one is ready, and then drain; one that does not become ready is withdrawn, and the old ones go
    /// on, as ``WorkloadStatus/failure`` says. A change of anything else restarts nothing. Instances too many drain, the highest ordinals first.
    ///
    /// - Throws: what ``validate(_:)`` throws; `superseded` when a newer generation was applied before;
    ///   `capacityExceeded`, `forbidden`, `conflict`, `unavailable`.
    func apply(_ spec: WorkloadSpec) async throws(RuntimeError) -> ApplyOutcome

    /// Stops and forgets the workload and everything that belongs to it, and returns when all of it is gone.
    ///
    /// Instances are asked to stop, and killed after `gracePeriod`. Succeeds if there is no such workload, and
    /// finishes what an earlier removal left half done.
    func remove(_ id: WorkloadID, gracePeriod: Duration) async throws(RuntimeError)

    /// Stops an instance that nobody needs for now, if `incarnation` is still its present one.
    ///
    /// Returns once that is taken up; from then on the phase is ``InstancePhase/parked``, although the process may take
    /// up to its grace period to end. The instance stays parked until it is woken or a spec that does not
    /// ``WorkloadSpec/runsLike(_:)`` the present one is applied. Without effect, and without an error, where the
    /// instance is unknown, draining, parked already, or has another incarnation: whoever decided to park it did so on
    /// old knowledge. Idempotent.
    ///
    /// Requests that reach the instance between the caller's decision and the stop are cut off, so the caller has to
    /// stop sending first.
    ///
    /// - Throws: `unsupported` from a driver without ``RuntimeCapabilities/parking``, `unavailable`, `cancelled`.
    func park(_ instance: InstanceID, incarnation: Incarnation) async throws(RuntimeError)

    /// Starts an instance that is parked.
    ///
    /// Returns once that is taken up, not when it is ready. Idempotent: an instance that is not parked, or not known,
    /// is left as it is. However many callers wake an instance, it is started once.
    ///
    /// - Throws: `unsupported` from a driver without ``RuntimeCapabilities/parking``, `unavailable`, `cancelled`.
    func wake(_ instance: InstanceID) async throws(RuntimeError)

    /// Says that no session is bound to this draining incarnation any more, as far as the caller knows.
    ///
    /// The driver may stop it before its ``WorkloadSpec/drainTime`` is over; one that serves several gateways may wait
    /// for all of them. Without effect unless that incarnation is ``InstancePhase/draining``. A hint that may be given
    /// again and again, and lost: the drain time holds without it.
    func release(_ instance: InstanceID, incarnation: Incarnation) async

    /// What is known of the workload now, with what its instances use where that can be measured.
    ///
    /// - Throws: `notFound`.
    func status(of id: WorkloadID) async throws(RuntimeError) -> WorkloadStatus

    /// The state of all workloads, and each newer one.
    func observe() -> RuntimeEvents

    /// The log of an instance: what the server wrote on its standard error and output.
    ///
    /// - Throws: `notFound` for an unknown instance, or when `previous` is asked for and there is none.
    func logs(of instance: InstanceID, options: LogOptions) async throws(RuntimeError) -> LogStream
}

extension RuntimeDriver {
    /// For drivers without ``RuntimeCapabilities/parking``.
    public func park(_ instance: InstanceID, incarnation: Incarnation) async throws(RuntimeError) {
        throw withoutParking(instance)
    }

    /// For drivers without ``RuntimeCapabilities/parking``.
    public func wake(_ instance: InstanceID) async throws(RuntimeError) {
        throw withoutParking(instance)
    }

    /// For drivers that end what drains by the drain time alone, or at once.
    public func release(_ instance: InstanceID, incarnation: Incarnation) async {}

    private func withoutParking(_ instance: InstanceID) -> RuntimeError {
        RuntimeError(
            .unsupported, "the \(capabilities.name) driver can't park instances", workload: instance.workload)
    }
}

/// What `apply` did.
public enum ApplyOutcome: String, Hashable, Sendable {
    /// There was no such workload.
    case created
    /// Something about the workload was changed.
    case updated
    /// All was as wanted already.
    case unchanged
}

/// What `recover` found.
public struct RecoveryReport: Hashable, Sendable {
    /// Wanted, and running from before: adopted with incarnations unchanged.
    public var adopted: Set<WorkloadID>
    /// Wanted, and not running.
    public var missing: Set<WorkloadID>
    /// Running from before, and not wanted; left alone for the caller to `remove`.
    public var orphaned: Set<WorkloadID>

    /// Describes a finding.
    public init(adopted: Set<WorkloadID> = [], missing: Set<WorkloadID> = [], orphaned: Set<WorkloadID> = []) {
        self.adopted = adopted
        self.missing = missing
        self.orphaned = orphaned
    }
}
