// SPDX-License-Identifier: MIT

import Model
import RuntimeContract
import Testing

@testable import DataPlane

@Suite("Health of instances")
struct InstanceHealthTests {
    private let policy = EjectionPolicy(failures: 2, firstNanoseconds: 100, longestNanoseconds: 350)

    /// One that has just been left out, at 0.
    private func ejected() -> InstanceHealth {
        var health = InstanceHealth()
        #expect(health.failed(at: 0, policy) == false)
        #expect(health.admit(at: 0) == .admitted)
        #expect(health.failed(at: 0, policy) == true)
        return health
    }

    @Test("failures in a row leave an instance out, and an answer in between does not let it come to that")
    func inARow() {
        var health = InstanceHealth()
        for _ in 0..<5 {
            #expect(health.failed(at: 0, policy) == false)
            #expect(!health.isSound)
            health.succeeded()
            #expect(health.isSound)
            #expect(health.closedUntil == 0)
        }
        #expect(ejected().closedUntil == 100)
    }

    @Test("after the time exactly one request finds out, and its answer takes the instance in again")
    func trial() {
        var health = ejected()
        #expect(health.admit(at: 99) == .refused)
        #expect(health.admit(at: 100) == .admittedOnTrial)
        #expect(health.admit(at: 1000) == .refused)
        #expect(health.closedUntil == .max)
        health.succeeded()
        #expect(health.admit(at: 100) == .admitted)
        // All is forgotten.
        #expect(health.failed(at: 200, policy) == false)
        #expect(health.failed(at: 200, policy) == true)
        #expect(health.closedUntil == 300)
    }

    @Test("each failed trial doubles the time, up to the longest")
    func doubling() {
        var health = ejected()
        var now: UInt64 = 100
        for wait: UInt64 in [200, 350, 350] {
            #expect(health.admit(at: now) == .admittedOnTrial)
            #expect(health.failed(at: now, policy) == true)
            #expect(health.closedUntil == now + wait)
            now += wait
        }
        for _ in 0..<100 {
            _ = health.admit(at: now)
            _ = health.failed(at: now, policy)
            now += 350
        }
        #expect(health.closedUntil == now)
    }

    @Test("a trial that tells nothing is followed by another one at once")
    func abandoned() {
        var health = ejected()
        _ = health.admit(at: 150)
        health.abandoned(at: 160)
        #expect(health.admit(at: 160) == .admittedOnTrial)
        #expect(health.failed(at: 160, policy) == true)
        #expect(health.closedUntil == 360)
    }

    @Test("requests on their way from before prolong nothing, and an answer to one ends it")
    func underWay() {
        var health = ejected()
        #expect(health.failed(at: 50, policy) == false)
        #expect(health.closedUntil == 100)
        health.succeeded()
        #expect(health.admit(at: 51) == .admitted)
        health.abandoned(at: 52)
        #expect(health.isSound)
    }

    @Test("placement passes over what is left out, and says when to come again where nothing else is there")
    func placement() throws {
        let loads = [PlacementLoad(), PlacementLoad()]
        let workload = try #require(WorkloadID("example"))
        let candidates = loads.enumerated().map { ordinal, load in
            PlacementCandidate(
                endpoint: InstanceEndpoint(
                    id: InstanceID(workload: workload, ordinal: ordinal), incarnation: Incarnation("1"),
                    endpoint: .unix(path: "/run/\(ordinal)"), acceptsNewSessions: true),
                load: load)
        }
        for _ in 0..<2 { _ = loads[0].failed(at: 0, policy) }
        var random = SystemRandomNumberGenerator()
        for _ in 0..<20 {
            let chosen = Placement.choose(for: .session, among: candidates, at: 50, using: &random)
            #expect(chosen?.load === loads[1])
        }
        #expect(loads[0].admit(at: 50) == .refused)
        #expect(loads[1].admit(at: 50) == .admitted)
        for _ in 0..<2 { _ = loads[1].failed(at: 3_000_000_000, policy) }
        #expect(Placement.choose(for: .session, among: candidates, at: 50, using: &random) == nil)
        #expect(Placement.retryAfterSeconds(candidates, at: 50) == 1)
        #expect(Placement.retryAfterSeconds([candidates[1]], at: 50) == 4)
        #expect(loads[0].admit(at: 100) == .admittedOnTrial)
        loads[0].succeeded()
        #expect(Placement.choose(for: .request, among: candidates, at: 100, using: &random)?.load === loads[0])
    }
}
