// SPDX-License-Identifier: MIT

public import RuntimeContract

/// Where the instances answer.
///
/// An immutable value, published with every change of the runtime.
public struct EndpointTable: Hashable, Sendable {
    /// The instances of each workload that can be reached, ordered by ordinal.
    ///
    /// A workload that the runtime does not know yet is not in it; one that has no instances to reach is, with none.
    public var instances: [WorkloadID: [InstanceEndpoint]]
    /// The workloads with an instance that is being started, or parked and would be started for a request.
    public var starting: Set<WorkloadID>

    /// A table of `instances`.
    public init(_ instances: [WorkloadID: [InstanceEndpoint]] = [:], starting: Set<WorkloadID> = []) {
        self.instances = instances
        self.starting = starting
    }

    /// Whether the runtime has said anything of `workload`.
    public func knows(_ workload: WorkloadID) -> Bool { instances[workload] != nil }

    /// Whether an instance of `workload` can be expected to take new sessions soon, though none may do so now.
    public func expectsInstances(of workload: WorkloadID) -> Bool {
        !knows(workload) || starting.contains(workload)
    }

    /// The instances in `snapshot` that have an endpoint and take sessions, old ones at least.
    ///
    /// - Parameter last: The table before this one. An instance that the platform says nothing of any more goes on
    ///   taking new sessions if it took them before: that nobody can be asked is no reason to turn clients away, and what
    ///   does not answer is left out by those who send.
    public init(_ snapshot: RuntimeSnapshot, after last: EndpointTable = EndpointTable()) {
        instances = snapshot.workloads.mapValues { status in
            status.instances.compactMap { instance in
                guard var endpoint = InstanceEndpoint(instance) else { return nil }
                if instance.phase == .unknown {
                    endpoint.acceptsNewSessions =
                        last.instances[status.id]?.contains {
                            $0.id == instance.id && $0.incarnation == instance.incarnation && $0.acceptsNewSessions
                        } ?? false
                }
                return endpoint
            }
        }
        starting = Set(
            snapshot.workloads.lazy.filter { _, status in
                status.instances.contains { [.pending, .starting, .parked].contains($0.phase) }
            }.map(\.key))
    }
}

/// One instance that can be reached.
public struct InstanceEndpoint: Hashable, Sendable {
    /// The instance.
    public var id: InstanceID
    /// The life of the instance that sessions are bound to.
    public var incarnation: Incarnation
    /// Where it answers.
    public var endpoint: Endpoint
    /// Whether new sessions may be placed on it; bound ones always may.
    public var acceptsNewSessions: Bool

    /// Describes a reachable instance.
    public init(id: InstanceID, incarnation: Incarnation, endpoint: Endpoint, acceptsNewSessions: Bool) {
        self.id = id
        self.incarnation = incarnation
        self.endpoint = endpoint
        self.acceptsNewSessions = acceptsNewSessions
    }

    /// The reachable side of `status`, or `nil` when the instance takes no session at all.
    public init?(_ status: InstanceStatus) {
        guard status.phase.acceptsBoundSessions, let endpoint = status.endpoint, let incarnation = status.incarnation
        else { return nil }
        self.init(
            id: status.id, incarnation: incarnation, endpoint: endpoint,
            acceptsNewSessions: status.phase.acceptsNewSessions)
    }
}
