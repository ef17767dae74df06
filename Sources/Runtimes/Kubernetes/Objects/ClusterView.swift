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
    /// The workloads whose roll-out is under way, or has not begun; follows with ``refresh()``.
    private(set) var unsettled: Set<WorkloadID> = []

    private var setNames: [WorkloadID: Set<String>] = [:]
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
            setNames = [:]
            for set in statefulSets.values { setNames[set.id, default: []].insert(set.name) }
            stale = nil
            return
        }
        for name in names {
            if let old = statefulSets[name]?.id {
                stale?.insert(old)
                setNames[old]?.remove(name)
                if setNames[old]?.isEmpty == true { setNames[old] = nil }
            }
            statefulSets[name] = machine.objects[name]
            if let new = statefulSets[name]?.id {
                stale?.insert(new)
                setNames[new, default: []].insert(name)
            }
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
            for id in stale {
                snapshot.workloads[id] = status(of: id)
                if isSettled(id) { unsettled.remove(id) } else { unsettled.insert(id) }
            }
        } else {
            snapshot.isReachable = isReachable
            let ids = Set(setNames.keys).union(podNames.keys)
            snapshot.workloads = [:]
            for id in ids { snapshot.workloads[id] = status(of: id) }
            unsettled = Set(ids.filter { !isSettled($0) })
        }
        stale = []
    }

    /// The workload's StatefulSets; `nil` where it has none that is to stay.
    func revisions(of id: WorkloadID) -> WorkloadRevisions? {
        WorkloadRevisions((setNames[id] ?? []).lazy.compactMap { statefulSets[$0] })
    }

    /// The workload's pods, those on their way out included.
    func pods(of id: WorkloadID) -> [PodState] { (podNames[id] ?? []).compactMap { pods[$0] } }

    private func isSettled(_ id: WorkloadID) -> Bool { revisions(of: id)?.isSettled(pods(of: id)) ?? true }

    /// The name of the pod that this is; that of the first revision where there is none yet.
    func podName(of status: InstanceStatus) -> String {
        let pods = pods(of: status.id.workload).filter { $0.instance == status.id }
        return (pods.first { $0.incarnation == status.incarnation } ?? pods.first)?.name ?? "\(status.id)"
    }

    /// Whether neither a StatefulSet nor a pod of the workload is left.
    func isGone(_ id: WorkloadID) -> Bool { setNames[id] == nil && podNames[id] == nil }

    private func status(of id: WorkloadID) -> WorkloadStatus? {
        let pods = pods(of: id)
        var status: WorkloadStatus
        if let revisions = revisions(of: id) {
            status = revisions.status(id, pods)
        } else if setNames[id] != nil || !pods.isEmpty {
            // Pods whose StatefulSet is gone already, or goes, are on their way out.
            let generation = (setNames[id] ?? []).compactMap { statefulSets[$0]?.generation }.max() ?? 0
            status = WorkloadStatus(
                id: id, observedGeneration: generation, desiredReplicas: 0, image: pods.first?.image ?? "",
                instances: pods.map { pod in
                    var instance = pod.status(generation: pod.generation)
                    instance.drain()
                    return instance
                }.sorted { $0.id < $1.id })
        } else {
            return nil
        }
        if !snapshot.isReachable { status.loseContact() }
        return status
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
