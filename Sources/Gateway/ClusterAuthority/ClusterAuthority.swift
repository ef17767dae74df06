// SPDX-License-Identifier: MIT

public import ControlPlane
internal import JSON
public import KubernetesRuntime
public import Logging
public import Model
internal import RuntimeContract
public import Store
internal import Synchronization

/// Adapters are custom resources of a cluster: written through its API server, by any number of gateways and by `kubectl`.
///
/// Each gateway lists and watches them, and has its store follow; nothing else writes the store. A write is answered when
/// the store holds it.
public final class ClusterAuthority: AdapterAuthority {
    /// How long a write may take to come back through the watch.
    static let patience = Duration.seconds(10)

    let api: ClusterAPI
    let store: AdapterStore
    let limits: AdapterLimits
    let logger: Logger
    let state = Mutex(State())

    struct State {
        /// What the watch showed last.
        var latest: ClusterObjects?
        /// What the store follows, by name.
        var applied: [String: AdapterObject] = [:]
        /// Why the store does not follow, by name.
        var faults: [String: String] = [:]
        var hasCaughtUp = false
        var isInContact = true
    }

    /// An authority that asks nothing before ``run(progress:)`` is called.
    public init(api: ClusterAPI, store: AdapterStore, limits: AdapterLimits, logger: Logger) {
        self.api = api
        self.store = store
        self.limits = limits
        self.logger = logger
    }

    var collection: String { "/apis/\(AdapterObject.apiVersion)/namespaces/\(api.namespace)/adapters" }

    /// Has the store follow, and shows in the resources what there is, until the task is cancelled.
    public func run(progress: @escaping @Sendable (AdapterName) -> AdapterProgress) async {
        let (changes, change) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        await withDiscardingTaskGroup { group in
            group.addTask { [self] in
                await api.follow(collection) { [self] objects in
                    state.withLock { $0.latest = objects }
                    change.yield()
                }
                change.finish()
            }
            group.addTask { [self] in
                for await _ in changes { await followLatest() }
            }
            group.addTask { [self] in
                // What could not be taken up may be possible later, without any change of the resource itself.
                while (try? await Task.sleep(for: .seconds(5))) != nil {
                    if state.withLock({ !$0.faults.isEmpty }) { change.yield() }
                }
            }
            group.addTask { [self] in await show(progress) }
        }
    }

    /// Returns when the store holds what the first list showed.
    public func caughtUp(waiting: @Sendable (String) -> Void) async {
        var told: String?
        while true {
            let (isDone, fault) = state.withLock { ($0.hasCaughtUp, $0.latest?.fault) }
            if isDone { return }
            let reason = fault?.code == .notFound ? "the cluster has no custom resource Adapter" : fault?.message
            let words = "the adapters of the cluster are not known yet\(reason.map { " (\($0))" } ?? "")"
            if told != words {
                waiting(words)
                told = words
            }
            guard (try? await Task.sleep(for: .milliseconds(10))) != nil else { return }
        }
    }

    // MARK: - Following

    private func followLatest() async {
        guard let latest = state.withLock({ $0.latest }) else { return }
        note(latest)
        guard latest.isKnown else { return }
        do throws(StoreError) {
            try await removeAbsent(latest.objects)
        } catch {
            return logger.error("the store can't follow the cluster", metadata: ["error": "\(error)"])
        }
        // Most are as they were: those are told by their version alone, before anything is read or put in order.
        let changed = state.withLock { state in
            latest.objects.filter { name, value in
                state.faults[name] != nil
                    || state.applied[name]?.resourceVersion != value["metadata", "resourceVersion"]?.text
            }
        }
        for (name, value) in changed.sorted(by: { $0.key < $1.key }) {
            guard !Task.isCancelled else { return }
            guard let object = AdapterObject(value) else { continue }
            let (known, hasFault) = state.withLock { ($0.applied[name], $0.faults[name] != nil) }
            if let known, known.saysTheSame(as: object), !hasFault, object.finalizers == known.finalizers {
                state.withLock { $0.applied[name] = object }
                continue
            }
            await follow(object)
        }
        state.withLock { $0.hasCaughtUp = true }
    }

    private func note(_ latest: ClusterObjects) {
        let changed = state.withLock { state in
            defer { state.isInContact = latest.isInContact }
            return state.isInContact != latest.isInContact
        }
        guard changed else { return }
        if latest.isInContact {
            logger.info("the adapters of the cluster can be watched again")
        } else {
            logger.warning(
                "the adapters of the cluster can't be watched; those that are known go on",
                metadata: ["error": "\(latest.fault?.message.prefix(300) ?? "")"])
        }
    }

    private func removeAbsent(_ objects: [String: JSONValue]) async throws(StoreError) {
        var names = state.withLock { Set($0.applied.keys) }
        if !state.withLock({ $0.hasCaughtUp }) { names.formUnion(try await store.all().map(\.adapter.name.rawValue)) }
        for name in names where objects[name] == nil {
            guard let adapter = AdapterName(name) else { continue }
            try await store.mirror(adapter, nil)
            state.withLock { state in
                state.applied[name] = nil
                state.faults[name] = nil
            }
        }
    }

    /// Has the store follow one resource; why it can't is kept as a fault and tried again.
    private func follow(_ object: AdapterObject) async {
        let name = object.name.rawValue
        var fault: String?
        do {
            if !object.isBeingDeleted, !object.finalizers.contains(AdapterObject.finalizer) {
                // First of all: what is made for it must be found again when it is deleted. The watch brings it back.
                return try await addFinalizer(object)
            }
            let secrets = try await secrets(of: object)
            try await store.mirror(object.name, object.stored(secrets: secrets, limits: limits))
        } catch let error as ValidationError {
            fault = error.faults.map { "\($0.field) \($0.message)" }.joined(separator: "; ")
        } catch let error as ClusterFault {
            fault = error.message
        } catch {
            fault = "\(error)"
        }
        // A tombstone needs no spec that can be understood.
        if fault != nil, object.isBeingDeleted { await bury(object) }
        let isNews = state.withLock { state in
            state.applied[name] = object
            defer { state.faults[name] = fault }
            return fault != nil && state.faults[name] != fault
        }
        if isNews {
            logger.warning("an adapter of the cluster is not as it must be", metadata: ["adapter": "\(name)"])
        }
    }

    private func addFinalizer(_ object: AdapterObject) async throws(ClusterFault) {
        let finalizers = object.finalizers + [AdapterObject.finalizer]
        do throws(ClusterFault) {
            try await patchFinalizers(object, finalizers)
        } catch {
            // Another gateway was faster, or it is gone: the watch will tell.
            guard error.code == .conflict || error.code == .notFound else { throw error }
        }
    }

    func patchFinalizers(_ object: AdapterObject, _ finalizers: [String]) async throws(ClusterFault) {
        _ = try await api.call(
            "PATCH", "\(collection)/\(object.name)", query: [("fieldManager", "mcp-gateway")],
            body: [
                "metadata": [
                    "resourceVersion": .string(object.resourceVersion), "uid": .string(object.uid),
                    "finalizers": .strings(finalizers),
                ]
            ], contentType: "application/merge-patch+json")
    }

    /// Marks what is stored as deleted, or lets a resource go that was never taken up.
    private func bury(_ object: AdapterObject) async {
        if let stored = try? await store.adapter(named: object.name), stored.adapter.uid == object.number {
            let moment = object.deletedAt ?? .now
            try? await store.mirror(object.name, StoredAdapter(stored.adapter, deletedAt: moment))
        } else {
            try? await patchFinalizers(object, object.finalizers.filter { $0 != AdapterObject.finalizer })
        }
    }

    // MARK: - Showing

    private func show(_ progress: @Sendable (AdapterName) -> AdapterProgress) async {
        // What was looked at and found right, so that a thousand adapters cost nothing while nothing happens.
        var shown: [AdapterName: Shown] = [:]
        // Not all gateways at the same moment: usually one writes, and the others see that it is written.
        while (try? await Task.sleep(for: .milliseconds(.random(in: 500...1500)))) != nil {
            let (objects, faults) = state.withLock { ($0.isInContact ? Array($0.applied.values) : [], $0.faults) }
            let names = Set(objects.map(\.name))
            shown = shown.filter { names.contains($0.key) }
            for object in objects.sorted(by: { $0.name < $1.name }) where !object.isBeingDeleted {
                guard !Task.isCancelled else { return }
                let seen = Shown(
                    version: object.resourceVersion, progress: progress(object.name),
                    fault: faults[object.name.rawValue])
                guard shown[object.name] != seen else { continue }
                let status = AdapterConditions.status(of: object, seen.progress, fault: seen.fault, now: .now)
                guard !AdapterConditions.shows(object, status) else {
                    shown[object.name] = seen
                    continue
                }
                do throws(ClusterFault) {
                    _ = try await api.call(
                        "PATCH", "\(collection)/\(object.name)/status", query: [("fieldManager", "mcp-gateway-status")],
                        body: [
                            "metadata": ["resourceVersion": .string(object.resourceVersion)],
                            "status": .object(status),
                        ], contentType: "application/merge-patch+json")
                } catch {
                    if error.code == .unavailable || error.code == .cancelled { break }
                    guard error.code != .conflict, error.code != .notFound else { continue }
                    logger.warning(
                        "the status of an adapter can't be written",
                        metadata: ["adapter": "\(object.name)", "error": "\(error.message.prefix(300))"])
                }
            }
        }
    }
}

/// All that a status follows from.
private struct Shown: Equatable {
    var version: String
    var progress: AdapterProgress
    var fault: String?
}
