// SPDX-License-Identifier: MIT

import Model
import RuntimeContract
import Testing

@testable import ControlPlane

@Suite("Since when instances are not used")
struct IdleTimesTests {
    private let life: IdleTimes.Life
    private var times = IdleTimes()

    init() throws {
        life = IdleTimes.Life(
            instance: InstanceID(workload: try #require(WorkloadID("server")), ordinal: 0),
            incarnation: Incarnation("first"))
    }

    private func use(_ begun: UInt32, requests: Int = 0, sessions: Int = 0) -> InstanceUse {
        InstanceUse(begun: begun, requests: requests, sessions: sessions)
    }

    @Test("time passes from the first look on")
    mutating func begins() {
        #expect(times.look(at: life, use(7), now: .seconds(100)) == .zero)
        #expect(times.look(at: life, use(7), now: .seconds(103)) == .seconds(3))
    }

    @Test("a request that came and went between two looks begins it anew")
    mutating func seesShortUse() {
        _ = times.look(at: life, use(1), now: .zero)
        #expect(times.look(at: life, use(2), now: .seconds(9)) == .zero)
        #expect(times.look(at: life, use(2), now: .seconds(10)) == .seconds(1))
    }

    @Test("what is under way and what lives counts as use, for as long as it does", arguments: [(1, 0), (0, 1)])
    mutating func countsWhatLasts(_ counts: (requests: Int, sessions: Int)) {
        let inUse = use(1, requests: counts.requests, sessions: counts.sessions)
        _ = times.look(at: life, inUse, now: .zero)
        #expect(times.look(at: life, inUse, now: .seconds(50)) == .zero)
        #expect(times.look(at: life, use(1), now: .seconds(51)) == .seconds(1))
    }

    @Test("another life begins with no time")
    mutating func tellsLivesApart() {
        _ = times.look(at: life, use(1), now: .zero)
        let next = IdleTimes.Life(instance: life.instance, incarnation: Incarnation("second"))
        #expect(times.look(at: next, use(1), now: .seconds(9)) == .zero)
        times.forget(allBut: [next])
        #expect(times.look(at: life, use(1), now: .seconds(9)) == .zero)
    }
}
