// SPDX-License-Identifier: MIT

internal import RuntimeContract

/// What is known of the cluster, put together from what is watched.
///
/// No I/O. A change costs what the workloads that it concerns cost, however many there are.
struct ClusterView: Sendable {
    private(set) var statefulSets: [String: StatefulSetState] = [:]
    private(set) var pods: [String: PodState] = [:]
    /// Whether both were listed once.
    var statefulSetsAreKnown = false
    var podsAreKnown = false
    var isInContact = true
    /// The pods' contact; both are needed.
    var podsAreInContact = true
    /// What is published; follows with ``refresh()``.
    private(set) var snapshot = RuntimeSnapshot(isReachable: false)

    private var podNames: [WorkloadID: Set<String>] = [:]
    /// The workloads whose status does not follow yet; `nil` stands for all.
    private var stale: Set<WorkloadID>?

    var isKnown: Bool { statefulSetsAreKnown && podsAreKnown }

    /// Takes up the StatefulSets that have changed.
    mutating func follow(_ machine: borrowing WatchMachine<StatefulSetState>) {
        statefulSetsAreKnown = machine.hasSynced
        isInContact = machine.isInContact
        guard case .names(let names) = machine.changes else {
            statefulSets = machine.objects
            stale = nil
            return
        }
        for name in names {
            statefulSets[name] = machine.objects[name]
            if let id = WorkloadID(name) { stale?.insert(id) }
        }
    }

    /// Takes up the pods that have changed.
    mutating func follow(_ machine: borrowing WatchMachine<PodState>) {
        podsAreKnown = machine.hasSynced
        podsAreInContact = machine.isInContact
        guard case .names(let names) = machine.changes else {
            pods = machine.objects
            podNames = [:]
            for pod in pods.values { podNames[pod.instance.workload, default: []].insert(pod.name) }
            stale = nil
            return
        }
        for name in names {
            if let old = pods[name]?.instance.workload {
                stale?.insert(old)
                podNames[old]?.remove(name)
                if podNames[old]?.isEmpty == true { podNames[old] = nil }
            }
            pods[name] = machine.objects[name]
            if let new = pods[name]?.instance.workload {
                stale?.insert(new)
                podNames[new, default: []].insert(name)
            }
        }
    }

    /// Has ``snapshot`` follow what was taken up.
    mutating func refresh() {
        let isReachable = isInContact && podsAreInContact
        if let stale, isReachable == snapshot.isReachable {
            for id in stale { snapshot.workloads[id] = status(of: id) }
        } else {
            snapshot.isReachable = isReachable
            let ids = Set(statefulSets.values.map(\.id)).union(podNames.keys)
            snapshot.workloads = [:]
            for id in ids { snapshot.workloads[id] = status(of: id) }
        }
        stale = []
    }

    private func status(of id: WorkloadID) -> WorkloadStatus? {
        let pods = (podNames[id] ?? []).compactMap { self.pods[$0] }
        var status: WorkloadStatus
        if let set = statefulSets[id.rawValue] {
            status = Self.status(of: set, pods)
        } else if let first = pods.first {
            // Pods whose StatefulSet is gone already are on their way out.
            status = WorkloadStatus(
                id: id, observedGeneration: 0, desiredReplicas: 0, image: first.image ?? "",
                instances: Self.ordered(pods.map { $0.status(generation: 0) }))
        } else {
            return nil
        }
        if !snapshot.isReachable { status.loseContact() }
        return status
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
