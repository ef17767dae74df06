// SPDX-License-Identifier: MIT

import MCPProtocol
import Model
import RuntimeContract
import Testing

@testable import DataPlane

@Suite("Session registry")
struct SessionRegistryTests {
    private let adapter: AdapterName
    private let load = PlacementLoad()

    init() throws {
        adapter = try #require(AdapterName("example"))
    }

    private func time(_ seconds: Int64) -> Timestamp { Timestamp(millisecondsSinceEpoch: seconds * 1000) }

    private func entry(
        _ number: UInt128, ordinal: Int = 0, incarnation: String = "1", adapter: AdapterName? = nil,
        at seconds: Int64 = 0
    ) -> SessionRegistryEntry {
        let adapter = adapter ?? self.adapter
        return SessionRegistryEntry(
            fingerprint: SessionFingerprint(value: number), adapter: adapter, kind: .streamable,
            instance: InstanceID(workload: adapter.workload, ordinal: ordinal), incarnation: Incarnation(incarnation),
            principal: "me", load: load, now: time(seconds))
    }

    @Test("a session is found until it ends, and counts on its instance exactly that long")
    func life() {
        let registry = SessionRegistry()
        let session = entry(1)
        #expect(registry.open(session) === session)
        #expect(load.sessions == 1)
        #expect(registry.session(session.fingerprint) === session)
        #expect(registry.end(session.fingerprint) === session)
        #expect(session.isEnded)
        #expect(load.sessions == 0)
        #expect(registry.end(session.fingerprint) == nil)
        #expect(load.sessions == 0)
        #expect(registry.session(session.fingerprint) == nil)
    }

    @Test("a session that is opened again is the same one and counts once")
    func reopening() {
        let registry = SessionRegistry()
        let first = entry(1)
        _ = registry.open(first)
        #expect(registry.open(entry(1)) === first)
        #expect(registry.count == 1)
        #expect(load.sessions == 1)
    }

    @Test("an idle session expires, a used one does not, and one with an open stream never")
    func expiry() {
        let registry = SessionRegistry()
        let idle = entry(1)
        let used = entry(2)
        let streaming = entry(3)
        for session in [idle, used, streaming] { _ = registry.open(session) }
        used.enter(at: time(50))
        used.leave(at: time(60))
        streaming.enter(at: time(0))
        #expect(registry.expire(at: time(99)) { _ in .seconds(100) } == 0)
        #expect(registry.expire(at: time(100)) { _ in .seconds(100) } == 1)
        #expect(idle.isEnded)
        #expect(registry.expire(at: time(160)) { _ in .seconds(100) } == 1)
        #expect(used.isEnded)
        #expect(registry.expire(at: time(100_000)) { _ in .seconds(100) } == 0)
        streaming.leave(at: time(100_000))
        #expect(registry.expire(at: time(100_099)) { _ in .seconds(100) } == 0)
        #expect(registry.expire(at: time(100_100)) { _ in .seconds(100) } == 1)
        #expect(registry.count == 0)
        #expect(load.sessions == 0)
    }

    @Test("each adapter has its own idle time")
    func timeouts() throws {
        let registry = SessionRegistry()
        let other = try #require(AdapterName("other"))
        _ = registry.open(entry(1))
        _ = registry.open(entry(2, adapter: other))
        #expect(registry.expire(at: time(10)) { $0 == other ? .seconds(5) : .seconds(50) } == 1)
        #expect(registry.sessions(of: other).isEmpty)
        #expect(registry.sessions(of: adapter).count == 1)
    }

    @Test("a restarted or vanished instance invalidates its sessions and nobody else's")
    func instances() {
        let registry = SessionRegistry()
        for number in 0..<30 { _ = registry.open(entry(UInt128(number), ordinal: number % 3)) }
        #expect(registry.counts(of: adapter).values.sorted() == [10, 10, 10])
        let table = EndpointTable([
            adapter.workload: [(0, "1"), (1, "2")].map {
                InstanceEndpoint(
                    id: InstanceID(workload: adapter.workload, ordinal: $0.0), incarnation: Incarnation($0.1),
                    endpoint: .unix(path: "/x"), acceptsNewSessions: true)
            }
        ])
        #expect(registry.end(allBut: table) == 20)
        #expect(registry.counts(of: adapter) == [InstanceID(workload: adapter.workload, ordinal: 0): 10])
        #expect(load.sessions == 10)
    }

    @Test("while one life of an instance replaces another, the sessions of both are kept")
    func twoLives() throws {
        let registry = SessionRegistry()
        for (number, incarnation) in [(1, "old"), (2, "new"), (3, "older")] as [(UInt128, String)] {
            _ = registry.open(entry(number, incarnation: incarnation))
        }
        let both = ["new", "old"].map { incarnation in
            InstanceEndpoint(
                id: InstanceID(workload: adapter.workload, ordinal: 0), incarnation: Incarnation(incarnation),
                endpoint: .tcp(host: "127.0.0.1", port: 1), acceptsNewSessions: incarnation == "new")
        }
        #expect(registry.end(allBut: EndpointTable([adapter.workload: both])) == 1)
        #expect(registry.count == 2)
        #expect(registry.end(allBut: EndpointTable([adapter.workload: [both[0]]])) == 1)
    }

    @Test("a full registry takes no more, says so, and has room again when a session ends")
    func capacity() {
        let registry = SessionRegistry(capacity: 10, shardCount: 1)
        for number in 0..<12 { _ = registry.open(entry(UInt128(number))) }
        #expect(registry.count == 10)
        #expect(registry.overflowCount == 2)
        #expect(load.sessions == 10)
        registry.end(SessionFingerprint(value: 3))
        #expect(registry.open(entry(99)) != nil)
    }

    @Test("sessions are listed by fingerprint with what was counted")
    func listing() {
        let registry = SessionRegistry()
        for number: UInt128 in [70_000, 3, 1 << 100, 17] { _ = registry.open(entry(number)) }
        #expect(registry.sessions(of: adapter).map(\.fingerprint.value) == [3, 17, 70_000, 1 << 100])
        let session = registry.session(SessionFingerprint(value: 3))
        session?.enter(at: time(5))
        session?.enter(at: time(6))
        session?.leave(at: time(7))
        #expect(session?.requestCount == 2)
        #expect(session?.exchanges == 1)
        #expect(session?.lastUsedAt == time(7))
        #expect(session?.openedAt == time(0))
    }

    @Test("many threads open, use and end sessions, and every count is right in the end")
    func concurrency() async {
        let registry = SessionRegistry(capacity: 50_000)
        await withTaskGroup(of: Void.self) { group in
            for worker in 0..<8 {
                group.addTask {
                    for number in 0..<2000 {
                        // Every session is opened by two workers and ended by four.
                        let session = self.entry(UInt128(number * 4 + worker % 4), ordinal: worker)
                        let kept = registry.open(session)
                        kept?.enter(at: self.time(1))
                        kept?.leave(at: self.time(2))
                        if number % 2 == 0 { registry.end(session.fingerprint) }
                        if number % 500 == 0 { registry.expire(at: self.time(1)) { _ in .seconds(100) } }
                    }
                }
            }
        }
        #expect(load.sessions == registry.count)
        registry.expire(at: time(1000)) { _ in .seconds(1) }
        #expect(registry.count == 0)
        #expect(load.sessions == 0)
    }
}

@Suite("Sessions that ended for good")
struct EndedSessionTests {
    @Test("an ended session is remembered until its server begins one of the same id again")
    func again() throws {
        let registry = SessionRegistry()
        let fingerprint = SessionFingerprint(value: 7)
        #expect(!registry.hasEnded(fingerprint))
        registry.endForGood(fingerprint)
        #expect(registry.hasEnded(fingerprint))
        registry.begin(fingerprint)
        #expect(!registry.hasEnded(fingerprint))
    }
}
