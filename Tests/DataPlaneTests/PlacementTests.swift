// SPDX-License-Identifier: MIT

import Model
import RuntimeContract
import Testing

@testable import DataPlane

/// Numbers in a fixed order, so that lots fall as a test wants them to (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = (state ^ state >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}

@Suite("Placement")
struct PlacementTests {
    private let workload: WorkloadID

    init() throws {
        workload = try #require(WorkloadID("example"))
    }

    private func endpoint(_ ordinal: Int, incarnation: String = "1", accepts: Bool = true) -> InstanceEndpoint {
        InstanceEndpoint(
            id: InstanceID(workload: workload, ordinal: ordinal), incarnation: Incarnation(incarnation),
            endpoint: .unix(path: "/run/\(ordinal)"), acceptsNewSessions: accepts)
    }

    private func candidate(_ ordinal: Int, sessions: Int = 0, requests: Int = 0, accepts: Bool = true)
        -> PlacementCandidate
    {
        let load = PlacementLoad()
        for _ in 0..<sessions { load.beginSession() }
        for _ in 0..<requests { _ = load.beginRequest() }
        return PlacementCandidate(endpoint: endpoint(ordinal, accepts: accepts), load: load)
    }

    private func choices(
        _ purpose: Placement.Purpose, _ candidates: [PlacementCandidate], tried: [Int] = [], rounds: Int = 200
    ) -> [Int?: Int] {
        var generator = SeededGenerator(seed: 1)
        let tried = tried.map { InstanceID(workload: workload, ordinal: $0) }
        return (0..<rounds).reduce(into: [:]) { counts, _ in
            let chosen = Placement.choose(for: purpose, among: candidates, tried: tried, using: &generator)
            counts[chosen?.endpoint.id.ordinal, default: 0] += 1
        }
    }

    @Test("a session goes where the fewest sessions are, then where the fewest requests are")
    func sessions() {
        #expect(
            choices(
                .session,
                [candidate(0, sessions: 2), candidate(1, sessions: 1, requests: 9), candidate(2, sessions: 3)]) == [
                    1: 200
                ])
        #expect(
            choices(.session, [candidate(0, sessions: 1, requests: 2), candidate(1, sessions: 1, requests: 1)]) == [
                1: 200
            ])
    }

    @Test("a request goes where the fewest requests are, whatever the sessions")
    func requests() {
        #expect(choices(.request, [candidate(0, requests: 2), candidate(1, sessions: 50, requests: 1)]) == [1: 200])
    }

    @Test("equals are drawn by lot, each as often as the others")
    func lots() {
        let counts = choices(.session, (0..<4).map { candidate($0, sessions: 1, requests: 1) }, rounds: 4000)
        #expect(counts.count == 4)
        for count in counts.values { #expect((850...1150).contains(count)) }
        // Worse ones before and between don't disturb the lot.
        let mixed = choices(
            .request, [candidate(0, requests: 3), candidate(1), candidate(2, requests: 1), candidate(3)], rounds: 4000)
        #expect(Set(mixed.keys) == [1, 3])
        #expect((1850...2150).contains(mixed[1] ?? 0))
    }

    @Test("instances that take no new sessions, and those that were tried, are never chosen")
    func exclusion() {
        let candidates = [
            candidate(0, accepts: false), candidate(1, sessions: 5, requests: 5),
            candidate(2, sessions: 9, requests: 9),
        ]
        #expect(choices(.session, candidates) == [1: 200])
        #expect(choices(.request, candidates, tried: [1]) == [2: 200])
        #expect(choices(.request, candidates, tried: [1, 2]) == [nil: 200])
        #expect(choices(.session, []) == [nil: 200])
    }

    @Test("sessions that are about to begin count, so that many at a time spread evenly")
    func expectation() {
        let candidates = [candidate(0, sessions: 5), candidate(1, sessions: 5), candidate(2, sessions: 6)]
        var generator = SeededGenerator(seed: 7)
        for _ in 0..<14 {
            Placement.choose(for: .session, among: candidates, using: &generator)?.load.expectSession()
        }
        #expect(candidates.map(\.load.sessions) == [10, 10, 10])
        for candidate in candidates { candidate.load.settleSession() }
        #expect(candidates.map(\.load.sessions) == [9, 9, 9])
    }

    @Test("a load outlives a change of the endpoints, and a new incarnation begins with none")
    func loads() throws {
        let loads = PlacementLoads()
        let first = EndpointTable([workload: [endpoint(0), endpoint(1)]])
        let before = loads.candidates(of: workload, in: first)
        before[0].load.beginSession()
        let second = EndpointTable([workload: [endpoint(0, accepts: false), endpoint(1, incarnation: "2")]])
        let after = loads.candidates(of: workload, in: second)
        #expect(after[0].load === before[0].load)
        #expect(after[1].load !== before[1].load)
        #expect(loads.count == 3)
        loads.forget(allBut: second)
        #expect(loads.count == 2)
        #expect(loads.candidates(of: workload, in: second)[0].load === before[0].load)
        let other = try #require(WorkloadID("other"))
        #expect(loads.candidates(of: other, in: second).isEmpty)
    }
}
