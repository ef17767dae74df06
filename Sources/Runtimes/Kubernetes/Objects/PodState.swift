// SPDX-License-Identifier: MIT

internal import JSON
internal import RuntimeContract

/// What is used of a pod.
struct PodState: WatchedObject {
    /// How a container ended.
    struct Ending: Hashable, Sendable {
        var exitCode: Int64
        var signal: Int64?
        /// `OOMKilled`, `Error`, `Completed`.
        var reason: String?
    }

    /// What the server's container does.
    enum Container: Hashable, Sendable {
        /// Nothing is known of it yet.
        case absent
        case waiting(reason: String?, message: String?)
        case running(startedAt: String?, hasStarted: Bool)
        case terminated(Ending)
    }

    var name: String
    var uid: String
    /// Which adapter it belongs to, and which replica it is.
    var instance: InstanceID
    /// Which of the adapter's StatefulSets it was made for (``RevisionNote/revision``).
    var revision: Int64
    /// The generation that it was made for; it may satisfy later ones as well.
    var generation: Int64
    var createdAt: Timestamp
    var isBeingDeleted: Bool
    var isScheduled: Bool
    /// Why it has no place, in the scheduler's words.
    var unschedulable: String?
    var address: String?
    var image: String?
    var container: Container
    var lastEnding: Ending?
    var restarts: Int
    var isReady: Bool
    /// Whether the cluster, and not the kubelet, has taken the pod's readiness away, because its node does not answer.
    ///
    /// A kubelet writes `Ready` and `ContainersReady` together, and they are the same where there are no readiness
    /// gates; the node lifecycle controller changes `Ready` alone.
    var isNodeLost: Bool
    /// When readiness last changed.
    var readyChangedAt: String?
    var port: UInt16

    init?(_ object: JSONValue) {
        guard let name = object["metadata", "name"]?.text, let uid = object["metadata", "uid"]?.text,
            let adapter = object["metadata", "labels", FieldNames.adapter]?.text, let id = WorkloadID(adapter),
            let hyphen = name.lastIndex(of: "-"), let ordinal = Int(name[hyphen...].dropFirst()), ordinal >= 0
        else { return nil }
        self.name = name
        self.uid = uid
        instance = InstanceID(workload: id, ordinal: ordinal)
        revision = object["metadata", "labels", FieldNames.revision]?.text.flatMap { Int64($0) } ?? 1
        generation = object["metadata", "annotations", FieldNames.generation]?.text.flatMap { Int64($0) } ?? 0
        createdAt =
            object["metadata", "creationTimestamp"]?.text.flatMap { KubernetesTime.parse($0) }
            ?? Timestamp(millisecondsSinceEpoch: 0)
        isBeingDeleted = object["metadata", "deletionTimestamp"] != nil
        isScheduled = object["spec", "nodeName"]?.text != nil
        address = object["status", "podIP"]?.text.flatMap { $0.isEmpty ? nil : $0 }
        let declared = object["spec", "containers"]?.items.first { $0["name"]?.text == FieldNames.container }
        image = declared?["image"]?.text
        port = declared?["ports"]?.items.first?["containerPort"]?.number.flatMap { UInt16(exactly: $0) } ?? 8000
        func condition(_ type: String) -> JSONValue? {
            object["status", "conditions"]?.items.first { $0["type"]?.text == type }
        }
        if let scheduled = condition("PodScheduled"), scheduled["reason"]?.text == "Unschedulable" {
            unschedulable = scheduled["message"]?.text ?? "no node has room for it"
        }
        let status = object["status", "containerStatuses"]?.items.first { $0["name"]?.text == FieldNames.container }
        restarts = Int(status?["restartCount"]?.number ?? 0)
        isReady = condition("Ready")?["status"]?.text == "True"
        isNodeLost =
            condition("Ready")?["status"]?.text == "False" && condition("ContainersReady")?["status"]?.text == "True"
        readyChangedAt = condition("Ready")?["lastTransitionTime"]?.text
        lastEnding = status?["lastState", "terminated"].map(Ending.init)
        container =
            if let running = status?["state", "running"] {
                .running(startedAt: running["startedAt"]?.text, hasStarted: status?["started"]?.flag ?? false)
            } else if let terminated = status?["state", "terminated"] {
                .terminated(Ending(terminated))
            } else if let waiting = status?["state", "waiting"] {
                .waiting(reason: waiting["reason"]?.text, message: waiting["message"]?.text)
            } else {
                .absent
            }
        // An init container that can't be had or fails keeps the server from starting.
        if case .waiting = container, let blocked = Self.blocked(object) { container = blocked }
        if case .absent = container, let blocked = Self.blocked(object) { container = blocked }
    }

    private static func blocked(_ object: JSONValue) -> Container? {
        for status in object["status", "initContainerStatuses"]?.items ?? [] {
            if let waiting = status["state", "waiting"], let reason = waiting["reason"]?.text,
                reason != "PodInitializing", reason != "ContainerCreating"
            {
                return .waiting(reason: reason, message: waiting["message"]?.text)
            }
        }
        return nil
    }
}

extension PodState.Ending {
    init(_ terminated: JSONValue) {
        self.init(
            exitCode: terminated["exitCode"]?.number ?? 0, signal: terminated["signal"]?.number,
            reason: terminated["reason"]?.text)
    }
}
