// SPDX-License-Identifier: MIT

public import ControlPlane
internal import JSON
internal import KubernetesRuntime
public import Model
internal import RuntimeContract
public import Store
internal import Synchronization

extension ClusterAuthority {
    /// Writes the resource, and returns when the store holds what was written.
    public func change<Refusal: Error>(
        _ name: AdapterName,
        _ decide: @Sendable (StoredAdapter?) throws(Refusal) -> AdapterChange
    ) async throws(AuthorityError) -> Result<StoredAdapter?, Refusal> {
        let deadline = ContinuousClock.now + Self.patience
        while true {
            // In this order: if the store is newer than the version that is known, the API server refuses, and we ask again.
            let known = state.withLock { $0.applied[name.rawValue] }
            let stored = try await read(name)
            let change: AdapterChange
            do throws(Refusal) { change = try decide(stored) } catch { return .failure(error) }
            let effect: Effect
            do throws(ClusterFault) {
                effect = try await write(change, stored, known)
            } catch {
                // Somebody else was faster: decide again, when what they did is known here.
                guard error.code == .conflict || error.code == .notFound, ContinuousClock.now < deadline else {
                    throw Self.error(error)
                }
                try refuseOccupied(name, change)
                await wait(until: min(deadline, .now + .seconds(1))) { state in
                    state.applied[name.rawValue]?.resourceVersion != known?.resourceVersion
                }
                continue
            }
            if case .none = effect { return .success(stored) }
            guard await wait(until: deadline, { Self.shows($0, effect) }) else {
                throw .unavailable("the change is written, but this gateway has not heard of it from the cluster yet")
            }
            return .success(try await read(name))
        }
    }

    /// Lets the resource go.
    public func forget(_ name: AdapterName, uid: UInt64) async throws(AuthorityError) {
        let deadline = ContinuousClock.now + Self.patience
        while let object = state.withLock({ $0.applied[name.rawValue] }), object.number == uid {
            guard object.isBeingDeleted else { return }
            do throws(ClusterFault) {
                return try await patchFinalizers(object, object.finalizers.filter { $0 != AdapterObject.finalizer })
            } catch {
                // It is gone already.
                if error.code == .notFound { return }
                guard error.code == .conflict, ContinuousClock.now < deadline else { throw Self.error(error) }
                await wait(until: min(deadline, .now + .seconds(1))) { state in
                    state.applied[name.rawValue]?.resourceVersion != object.resourceVersion
                }
            }
        }
        do throws(StoreError) { try await store.forget(name, uid: uid) } catch { throw .store(error) }
    }

    /// Asks the API server for the newest version, and waits until the store holds it; a second at most.
    public func refresh(_ name: AdapterName) async {
        guard state.withLock({ $0.isInContact && $0.hasCaughtUp }) else { return }
        let deadline = ContinuousClock.now + .seconds(1)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { [self] in
                let written: AdapterObject?
                do throws(ClusterFault) {
                    written = AdapterObject(try await api.call("GET", "\(collection)/\(name)"))
                } catch {
                    guard error.code == .notFound else { return }
                    written = nil
                }
                await wait(until: deadline) { state in
                    guard let written else { return state.applied[name.rawValue] == nil }
                    return Self.shows(state, .written(written))
                }
            }
            // Whichever is first cancels the other.
            group.addTask { try? await Task.sleep(until: deadline, clock: .continuous) }
            await group.next()
            group.cancelAll()
        }
    }

    private func read(_ name: AdapterName) async throws(AuthorityError) -> StoredAdapter? {
        do throws(StoreError) { return try await store.adapter(named: name) } catch { throw .store(error) }
    }

    private static func error(_ fault: ClusterFault) -> AuthorityError {
        switch fault.code {
        case .unavailable, .cancelled: .unavailable("the cluster's API server can't be asked now: try again")
        case .conflict, .notFound: .unavailable("others change this adapter all the time: try again")
        case .invalid: .refused(fault.message)
        case .forbidden, .failed: .failed(fault.message)
        }
    }

    /// A resource that can't be understood is in the way of a new one.
    private func refuseOccupied(_ name: AdapterName, _ change: AdapterChange) throws(AuthorityError) {
        guard case .create = change, let fault = state.withLock({ $0.faults[name.rawValue] }) else { return }
        throw .refused("the cluster has an adapter of this name that is not as it must be: \(fault)")
    }

    // MARK: - Steps

    /// What was done in the cluster.
    private enum Effect {
        case none
        case written(AdapterObject)
        case deleted(AdapterObject)
    }

    private func write(
        _ change: AdapterChange, _ stored: StoredAdapter?, _ known: AdapterObject?
    ) async throws(ClusterFault) -> Effect {
        switch change {
        case .keep: .none
        case .create(let adapter): .written(try await create(adapter))
        case .replace(let adapter): .written(try await replace(adapter, stored, known))
        case .delete: .deleted(try await delete(known))
        }
    }

    private func create(_ adapter: Adapter) async throws(ClusterFault) -> AdapterObject {
        let secretName = try await makeSecret(adapter, owner: nil)
        let answer: JSONValue
        do throws(ClusterFault) {
            answer = try await api.call(
                "POST", collection, query: [("fieldManager", "mcp-gateway")],
                body: AdapterObject.new(adapter, secretName: secretName))
        } catch {
            if let secretName, error.code != .unavailable { await deleteSecret(secretName) }
            throw error
        }
        let object = try Self.object(answer)
        if let secretName { try await own(secretName, object) }
        return object
    }

    private func replace(
        _ adapter: Adapter, _ stored: StoredAdapter?, _ known: AdapterObject?
    ) async throws(ClusterFault) -> AdapterObject {
        guard let known, let stored else { throw .changedMeanwhile }
        let isKept = stored.adapter.spec.secrets == adapter.spec.secrets
        // Never changed in place: the resource and its secrets become others at once, or not at all.
        let secretName = isKept ? known.secretName : try await makeSecret(adapter, owner: known)
        let answer: JSONValue
        do throws(ClusterFault) {
            answer = try await api.call(
                "PUT", "\(collection)/\(known.name)", query: [("fieldManager", "mcp-gateway")],
                body: known.replacing(adapter, secretName: secretName))
        } catch {
            if let secretName, !isKept, error.code != .unavailable { await deleteSecret(secretName) }
            throw error
        }
        if let old = known.secretName, old != secretName { await deleteSecret(old) }
        return try Self.object(answer)
    }

    private func delete(_ known: AdapterObject?) async throws(ClusterFault) -> AdapterObject {
        guard let known else { throw .changedMeanwhile }
        _ = try await api.call(
            "DELETE", "\(collection)/\(known.name)",
            body: [
                "apiVersion": "v1", "kind": "DeleteOptions",
                "preconditions": [
                    "uid": .string(known.uid), "resourceVersion": .string(known.resourceVersion),
                ],
            ])
        return known
    }

    /// Whether the store holds what was done, or what came after it.
    private static func shows(_ state: State, _ effect: Effect) -> Bool {
        switch effect {
        case .none: return true
        case .written(let object):
            guard let shown = state.applied[object.name.rawValue] else { return false }
            return shown.uid != object.uid || shown.isAtLeast(object.resourceVersion)
        case .deleted(let object):
            guard let shown = state.applied[object.name.rawValue], shown.uid == object.uid else { return true }
            return shown.isBeingDeleted
        }
    }

    private static func object(_ answer: JSONValue) throws(ClusterFault) -> AdapterObject {
        guard let object = AdapterObject(answer) else { throw .strangeAnswer }
        return object
    }

    /// Whether `condition` held before the deadline.
    @discardableResult
    private func wait(until deadline: ContinuousClock.Instant, _ condition: (State) -> Bool) async -> Bool {
        while !state.withLock({ condition($0) }) {
            guard ContinuousClock.now < deadline, (try? await Task.sleep(for: .milliseconds(5))) != nil else {
                return false
            }
        }
        return true
    }
}

extension ClusterFault {
    /// What is to be changed is not there any more, or not yet.
    fileprivate static let changedMeanwhile = ClusterFault(.conflict, "it was changed meanwhile")
    fileprivate static let strangeAnswer = ClusterFault(.failed, "the API server's answer is no adapter")
}
