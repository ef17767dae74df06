// SPDX-License-Identifier: MIT

internal import Model
internal import Store

/// The gateway's own database is where adapters are written: one gateway, one machine.
struct StoreAuthority: AdapterAuthority {
    let store: AdapterStore

    func change<Refusal: Error>(
        _ name: AdapterName,
        _ decide: @Sendable (StoredAdapter?) throws(Refusal) -> AdapterChange
    ) async throws(AuthorityError) -> Result<StoredAdapter?, Refusal> {
        do throws(StoreError) { return try await store.change(name, decide) } catch { throw .store(error) }
    }

    func forget(_ name: AdapterName, uid: UInt64) async throws(AuthorityError) {
        do throws(StoreError) { try await store.forget(name, uid: uid) } catch { throw .store(error) }
    }

    // There is nothing to follow.
    func refresh(_ name: AdapterName) async {}
    func run(progress: @escaping @Sendable (AdapterName) -> AdapterProgress) async {}
    func caughtUp(waiting: @Sendable (String) -> Void) async {}
}
