// SPDX-License-Identifier: MIT

import FoundationEssentials
import Model
import RuntimeContract
import Synchronization
import Testing

@testable import Store

@Suite("Store")
struct AdapterStoreTests {
    private struct Refused: Error, Equatable {}

    @Test("what was stored is there after the database was closed and opened again")
    func durable() async throws {
        try await withTemporaryFolder { folder in
            let spec = AdapterSpec(
                source: .command(Command(executable: "/bin/x", arguments: ["a", "", "é\n"], workingDirectory: "/srv")),
                environmentVariables: ["A": "1"], secretEnvironmentVariables: ["TOKEN": Secret("hush")],
                replicaCount: 40, description: "with \u{0} and \"quotes\"", requiredRoles: ["r"], transport: .stdio,
                resources: ResourceLimits(memoryBytes: 1 << 30), labels: ["a": "b"])
            let first = try adapter("a", uid: .max, spec)
            let store = try AdapterStore(path: folder + "/deep/gateway.db")
            try await store.create(first)
            try await store.create(try adapter("b"))
            try await store.delete(named("b"))
            await store.close()

            let again = try AdapterStore(path: folder + "/deep/gateway.db")
            #expect(try await again.adapter(named: named("a")) == StoredAdapter(first))
            let tombstone = try await again.adapter(named: named("b"))
            #expect(tombstone?.deletedAt == Timestamp(millisecondsSinceEpoch: 3000))
            #expect(try await again.all().map(\.adapter.name.rawValue) == ["a", "b"])
            await again.close()
        }
    }

    @Test("a decision that refuses changes nothing and is told why")
    func refusal() async throws {
        try await withTemporaryFolder { folder in
            let store = try AdapterStore(path: folder + "/db")
            let name = try named("a")
            try await store.create(try adapter("a"))
            let result = try await store.change(name) { (stored) throws(Refused) in
                #expect(stored != nil)
                throw Refused()
            }
            #expect(throws: Refused()) { try result.get() }
            #expect(try await store.adapter(named: name) == StoredAdapter(adapter("a")))
            await store.close()
        }
    }

    @Test("what somebody else has decided takes the place of what is stored, and is told if it is something else")
    func mirrored() async throws {
        try await withTemporaryFolder { folder in
            let store = try AdapterStore(path: folder + "/db")
            let name = try named("a")
            let told = Mutex<[StoredAdapter?]>([])
            try await store.observe(beginningWith: { _ in }, { _, stored in told.withLock { $0.append(stored) } })
            var spec = AdapterSpec(source: .image(name: "i", version: "1"))
            spec.secretEnvironmentVariables = ["TOKEN": Secret("hush")]
            let first = StoredAdapter(try adapter("a", uid: 1, spec))
            // Another life of the name, of an older generation than the one before.
            let second = StoredAdapter(try adapter("a", uid: 2), deletedAt: Timestamp(millisecondsSinceEpoch: 3000))
            for stored in [first, first, second, nil, nil] {
                try await store.mirror(name, stored)
                #expect(try await store.adapter(named: name) == stored)
            }
            #expect(told.withLock { $0 } == [first, second, nil])
            await store.close()
        }
    }

    @Test("a replaced adapter keeps nothing of its old secrets")
    func secretsReplaced() async throws {
        try await withTemporaryFolder { folder in
            let store = try AdapterStore(path: folder + "/db")
            var spec = AdapterSpec(source: .image(name: "i", version: "1"))
            spec.secretEnvironmentVariables = ["OLD": Secret("old-secret-value")]
            try await store.create(try adapter("a", spec))
            spec.secretEnvironmentVariables = ["NEW": Secret("new-secret-value")]
            let replacement = try adapter("a", spec)
            let after = try await store.change(named("a")) { (_) throws(Never) in .replace(replacement) }.get()
            #expect(after?.adapter.spec.secretEnvironmentVariables == ["NEW": Secret("new-secret-value")])
            #expect(
                try await store.adapter(named: named("a"))?.adapter.spec.secretEnvironmentVariables == [
                    "NEW": Secret("new-secret-value")
                ])
            await store.close()
            let bytes = try Data(contentsOf: URL(filePath: folder + "/db"))
            #expect(bytes.firstRange(of: Data("new-secret-value".utf8)) != nil)
            #expect(bytes.firstRange(of: Data("old-secret-value".utf8)) == nil)
        }
    }

    @Test("pages are ordered by name, start after the name given and leave tombstones out")
    func pages() async throws {
        try await withTemporaryFolder { folder in
            let store = try AdapterStore(path: folder + "/db")
            for name in ["c", "a", "e", "b", "d"] { try await store.create(try adapter(name)) }
            try await store.delete(named("c"))
            #expect(try await store.adapters(after: nil, limit: 3).map(\.name.rawValue) == ["a", "b", "d"])
            #expect(try await store.adapters(after: named("b"), limit: 9).map(\.name.rawValue) == ["d", "e"])
            #expect(try await store.adapters(after: named("bb"), limit: 1).map(\.name.rawValue) == ["d"])
            #expect(try await store.adapters(after: named("e"), limit: 9).isEmpty)
            await store.close()
        }
    }

    @Test("only the tombstone of the very adapter is forgotten, with its secrets")
    func forgetting() async throws {
        try await withTemporaryFolder { folder in
            let store = try AdapterStore(path: folder + "/db")
            let name = try named("a")
            try await store.create(try adapter("a", uid: 1))
            try await store.forget(name, uid: 1)
            #expect(try await store.adapter(named: name) != nil, "it was not deleted")
            try await store.delete(name)
            try await store.forget(name, uid: 2)
            #expect(try await store.adapter(named: name) != nil, "it was another one")
            try await store.forget(name, uid: 1)
            #expect(try await store.adapter(named: name) == nil)
            try await store.create(try adapter("a", uid: 3))
            await store.close()
        }
    }

    @Test("creating over a tombstone or another adapter breaks a rule and changes nothing")
    func constraint() async throws {
        try await withTemporaryFolder { folder in
            let store = try AdapterStore(path: folder + "/db")
            try await store.create(try adapter("a", uid: 1))
            let error = await #expect(throws: StoreError.self) { try await store.create(try adapter("a", uid: 2)) }
            #expect(error?.code == .constraint)
            #expect(try await store.adapter(named: named("a"))?.adapter.uid == 1)
            try await store.create(try adapter("b"))
            await store.close()
        }
    }

    @Test("the observer hears of every commit in order, and of nothing else")
    func observer() async throws {
        try await withTemporaryFolder { folder in
            let store = try AdapterStore(path: folder + "/db")
            try await store.create(try adapter("a"))
            let heard = Mutex<[String]>([])
            try await store.observe { stored in
                heard.withLock { $0 = stored.map { "\($0.adapter.name) is there" } }
            } _: { name, stored in
                let state = stored.map { $0.isDeleted ? "deleted" : "generation \($0.adapter.generation)" } ?? "gone"
                heard.withLock { $0.append("\(name) \(state)") }
            }
            try await store.create(try adapter("b"))
            var changed = try adapter("a")
            changed.generation = 2
            let second = changed
            _ = try await store.change(named("a")) { (_) throws(Never) in .replace(second) }
            _ = try await store.change(named("a")) { (_) throws(Never) in .keep }
            _ = try await store.change(named("a")) { (_) throws(Refused) in throw Refused() }
            try await store.delete(named("a"))
            try await store.forget(named("a"), uid: 1)
            try await store.forget(named("a"), uid: 1)
            #expect(
                heard.withLock { $0 } == ["a is there", "b generation 1", "a generation 2", "a deleted", "a gone"])
            await store.close()
        }
    }

    @Test("many callers at once are served one after the other")
    func concurrentCallers() async throws {
        try await withTemporaryFolder { folder in
            let store = try AdapterStore(path: folder + "/db")
            try await store.create(try adapter("a"))
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<50 {
                    group.addTask {
                        _ = try await store.change(named("a")) { (stored) throws(Never) in
                            guard var adapter = stored?.adapter else { return .keep }
                            adapter.generation += 1
                            return .replace(adapter)
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await store.adapter(named: named("a"))?.adapter.generation == 51)
            await store.close()
        }
    }

    @Test("a closed store says so")
    func closed() async throws {
        try await withTemporaryFolder { folder in
            let store = try AdapterStore(path: folder + "/db")
            await store.close()
            await store.close()
            let error = await #expect(throws: StoreError.self) { try await store.all() }
            #expect(error?.code == .io)
        }
    }
}
