// SPDX-License-Identifier: MIT

internal import RuntimeContract

/// What is known of the cluster, put together from what is watched.
///
/// No I/O.
struct ClusterView: Sendable {
    var statefulSets: [String: StatefulSetState] = [:]
    var pods: [String: PodState] = [:]
    /// Whether both were listed once.
    var statefulSetsAreKnown = false
    var podsAreKnown = false
    var isInContact = true
    /// The pods' contact; both are needed.
    var podsAreInContact = true

    var isKnown: Bool { statefulSetsAreKnown && podsAreKnown }

    /// What is published.
    var snapshot: RuntimeSnapshot {
        let isReachable = isInContact && podsAreInContact
        var byWorkload: [WorkloadID: [PodState]] = [:]
        for pod in pods.values { byWorkload[pod.instance.workload, default: []].append(pod) }
        var workloads: [WorkloadID: WorkloadStatus] = [:]
        for set in statefulSets.values {
            workloads[set.id] = Self.status(of: set, byWorkload.removeValue(forKey: set.id) ?? [])
        }
        // Pods whose StatefulSet is gone already are on their way out.
        for (id, pods) in byWorkload {
            workloads[id] = WorkloadStatus(
                id: id, observedGeneration: 0, desiredReplicas: 0, image: pods.first?.image ?? "",
                instances: Self.ordered(pods.map { $0.status(generation: 0) }))
        }
        if !isReachable {
            for id in workloads.keys { workloads[id]?.loseContact() }
        }
        return RuntimeSnapshot(isReachable: isReachable, workloads: workloads)
    }

    private static func status(of set: StatefulSetState, _ pods: [PodState]) -> WorkloadStatus {
        var instances = pods.map { pod in
            pod.status(generation: set.generation(of: pod.template))
        }
        let present = Set(instances.map(\.id.ordinal))
        if !set.isBeingDeleted {
            for ordinal in 0..<max(set.replicas, 0) where !present.contains(ordinal) {
                instances.append(
                    InstanceStatus(
                        id: InstanceID(workload: set.id, ordinal: ordinal), generation: set.generation, phase: .pending)
                )
            }
        }
        return WorkloadStatus(
            id: set.id, observedGeneration: set.generation, desiredReplicas: set.isBeingDeleted ? 0 : set.replicas,
            image: set.image, instances: ordered(instances))
    }

    private static func ordered(_ instances: [InstanceStatus]) -> [InstanceStatus] {
        instances.sorted { $0.id < $1.id }
    }
}

extension WorkloadStatus {
    /// Nothing is known for sure any more; endpoints are kept.
    fileprivate mutating func loseContact() {
        for index in instances.indices where instances[index].phase != .stopped {
            instances[index].phase = .unknown
            instances[index].reason = PhaseReason(.contactLost, "the API server can't be reached")
        }
    }
}
