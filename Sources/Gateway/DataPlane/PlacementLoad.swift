// SPDX-License-Identifier: MIT

import Metrics
import Model
import RuntimeContract
import Synchronization

/// How busy one incarnation of an instance is, as far as this gateway knows.
///
/// Shared by all loops; every operation is one relaxed atomic. The numbers only steer placement, so that a reading is a
/// little old harms nobody.
final class PlacementLoad: Sendable {
    private let sessionCount = Atomic<Int>(0)
    private let expectedCount = Atomic<Int>(0)
    /// How many requests were begun in the upper half; in the lower one whether it is closed, and how many are not over.
    private let traffic = Atomic<UInt64>(0)
    private let health = Mutex(InstanceHealth())
    /// ``InstanceHealth/closedUntil``; 1 where requests are admitted and the last one failed.
    private let gate = Atomic<UInt64>(0)

    /// Where sessions are counted for people, if they are.
    private let meters: AdapterMeters?

    /// A load of nothing.
    init(meters: AdapterMeters? = nil) {
        self.meters = meters
    }

    /// Live sessions, and those that are about to begin.
    var sessions: Int { sessionCount.load(ordering: .relaxed) + expectedCount.load(ordering: .relaxed) }

    /// Sessions that are about to begin.
    var expectedSessions: Int { expectedCount.load(ordering: .relaxed) }

    private static let oneBegun: UInt64 = 1 << 32
    private static let closed: UInt64 = 1 << 31

    /// Requests and streams that are not over.
    var requests: Int { Int(traffic.load(ordering: .relaxed) & (Self.closed - 1)) }

    /// Whether nothing may be sent to the instance any more, because it is being parked.
    var isClosed: Bool { traffic.load(ordering: .relaxed) & Self.closed != 0 }

    /// Counts a request or a stream that is sent to the instance; ``endRequest()`` follows exactly once.
    ///
    /// - Returns: `false` where nothing may be sent any more; then nothing is counted.
    @inline(__always)
    func beginRequest() -> Bool {
        let before = traffic.wrappingAdd(Self.oneBegun | 1, ordering: .relaxed).oldValue
        if before & Self.closed == 0 { return true }
        endRequest()
        return false
    }

    /// Ends what ``beginRequest()`` began.
    func endRequest() { traffic.wrappingSubtract(1, ordering: .relaxed) }

    /// What went to the instance up to now.
    var use: InstanceUse {
        let now = traffic.load(ordering: .acquiring)
        return InstanceUse(begun: UInt32(now >> 32), requests: Int(now & (Self.closed - 1)), sessions: sessions)
    }

    /// Lets nothing more be begun, unless something was since `use` or is not over.
    func close(since use: InstanceUse) -> Bool {
        let idle = UInt64(use.begun) << 32
        return traffic.compareExchange(expected: idle, desired: idle | Self.closed, ordering: .acquiringAndReleasing)
            .exchanged
    }

    /// Takes ``close(since:)`` back.
    func reopen() { traffic.bitwiseAnd(~Self.closed, ordering: .relaxed) }

    /// Counts an `initialize` on its way, so that many at a time spread; ``settleSession()`` follows exactly once, when
    /// it is answered or lost.
    func expectSession() { expectedCount.add(1, ordering: .relaxed) }

    /// Ends what ``expectSession()`` began.
    ///
    /// A session that did begin is counted by ``SessionRegistry``.
    func settleSession() { expectedCount.subtract(1, ordering: .relaxed) }

    /// Counts a session that ``SessionRegistry`` took in.
    func beginSession() {
        sessionCount.add(1, ordering: .relaxed)
        meters?.sessionsOpened.increment()
    }

    /// Ends what ``beginSession()`` began.
    func endSession() {
        sessionCount.subtract(1, ordering: .relaxed)
        meters?.sessionsClosed.increment()
    }

    // MARK: - Health

    /// From when on requests that could go elsewhere are taken, in nanoseconds of the uptime; see ``InstanceHealth``.
    var closedUntil: UInt64 { gate.load(ordering: .relaxed) }

    /// Whether a request that could go elsewhere is to be sent here; takes a lock only where something has failed.
    func admit(at now: UInt64) -> InstanceHealth.Admission {
        closedUntil == 0 ? .admitted : change { $0.admit(at: now) }
    }

    /// Tells of a failure.
    ///
    /// - Returns: whether the instance is left out from now on, and was not before.
    func failed(at now: UInt64, _ policy: EjectionPolicy) -> Bool { change { $0.failed(at: now, policy) } }

    /// Tells of an answer; takes a lock only where something has failed before.
    func succeeded() {
        if closedUntil != 0 { change { $0.succeeded() } }
    }

    /// Tells that a trial was given up.
    func abandonTrial(at now: UInt64) { change { $0.abandoned(at: now) } }

    @discardableResult
    private func change<Value: Sendable>(_ body: (inout InstanceHealth) -> Value) -> Value {
        health.withLock { health in
            let value = body(&health)
            gate.store(health.isSound ? 0 : max(1, health.closedUntil), ordering: .relaxed)
            return value
        }
    }
}

/// The loads of all instances, kept over changes of the endpoints.
///
/// Used when a snapshot is made, never per request.
final class PlacementLoads: Sendable {
    private struct Key: Hashable {
        let instance: InstanceID
        let incarnation: Incarnation
    }

    private let loads = Mutex<[Key: PlacementLoad]>([:])

    /// No loads.
    init() {}

    /// What may be placed on the instances of `workload` in `table`, in the order of their ordinals.
    ///
    /// A new incarnation starts with no load; one that is still there keeps its own.
    func candidates(
        of workload: WorkloadID, in table: EndpointTable, meters: AdapterMeters? = nil
    ) -> [PlacementCandidate] {
        let endpoints = table.instances[workload] ?? []
        return loads.withLock { loads in
            endpoints.map { endpoint in
                let key = Key(instance: endpoint.id, incarnation: endpoint.incarnation)
                if let load = loads[key] { return PlacementCandidate(endpoint: endpoint, load: load) }
                let load = PlacementLoad(meters: meters)
                loads[key] = load
                return PlacementCandidate(endpoint: endpoint, load: load)
            }
        }
    }

    /// How busy a life of an instance is; `nil` for one that nothing can have been placed on.
    func load(of instance: InstanceID, _ incarnation: Incarnation) -> PlacementLoad? {
        loads.withLock { $0[Key(instance: instance, incarnation: incarnation)] }
    }

    /// Forgets the loads of incarnations that are not in `table` any more.
    func forget(allBut table: EndpointTable) {
        var living: Set<Key> = []
        for endpoint in table.instances.values.joined() {
            living.insert(Key(instance: endpoint.id, incarnation: endpoint.incarnation))
        }
        loads.withLock { loads in loads = loads.filter { living.contains($0.key) } }
    }

    /// How many loads are kept.
    var count: Int { loads.withLock(\.count) }

    /// The loads that are kept, in no order.
    var all: [PlacementLoad] { loads.withLock { Array($0.values) } }
}
