// SPDX-License-Identifier: MIT

import RuntimeContract
import Testing

@testable import Supervision

@Suite("What a workload's machine decides")
struct WorkloadMachineTests {
    private let backoff = Backoff(initial: .seconds(1), maximum: .seconds(8), jitter: 0, resetAfter: .seconds(60))

    private func spec(generation: Int64 = 1, replicas: Int = 1, token: Int64 = 0) throws -> WorkloadSpec {
        WorkloadSpec(
            id: try #require(WorkloadID("w")), generation: generation,
            source: .command(Command(executable: "x")), replicas: replicas, restartToken: token)
    }

    private func ready(_ machine: inout WorkloadMachine, _ life: UInt64, now: Duration = .zero, _ lives: inout UInt64)
        -> [WorkloadMachine.Action]
    {
        machine.placed(life: life, Incarnation("i\(life)"), .tcp(host: "127.0.0.1", port: UInt16(life)))
        return machine.probeSucceeded(life: life, now: now, lives: &lives)
    }

    @Test("failures in a row wait longer each time, and become a crash loop at the third")
    func crashLoop() throws {
        var lives: UInt64 = 0
        var machine = WorkloadMachine(try spec(), backoff: backoff)
        _ = machine.begin(now: .zero, numbers: &lives)
        var now = Duration.zero
        var codes: [PhaseReason.Code?] = []
        for wait in [1, 2, 4, 8, 8] {
            let end = machine.ended(life: lives, .exited("exit code 3"), now: now, random: 0.5, lives: &lives)
            #expect(end.isEmpty)
            codes.append(machine.status.instances[0].reason?.code)
            #expect(machine.nextDeadline == now + .seconds(wait))
            #expect(machine.tick(now: now, lives: &lives).isEmpty)
            now += .seconds(wait)
            #expect(machine.tick(now: now, lives: &lives).count == 1)
        }
        #expect(codes == [.exited, .exited, .crashLoop, .crashLoop, .crashLoop])
        #expect(machine.status.instances[0].restarts == 5)
    }

    @Test("an instance that was ready long enough has its failures forgotten")
    func reset() throws {
        var lives: UInt64 = 0
        var machine = WorkloadMachine(try spec(), backoff: backoff)
        _ = machine.begin(now: .zero, numbers: &lives)
        _ = machine.ended(life: 1, .exited("x"), now: .zero, random: 0.5, lives: &lives)
        _ = machine.tick(now: .seconds(1), lives: &lives)
        _ = ready(&machine, 2, now: .seconds(2), &lives)
        _ = machine.ended(life: 2, .exited("x"), now: .seconds(62), random: 0.5, lives: &lives)
        #expect(machine.nextDeadline == .seconds(63))
    }

    @Test("a roll-out shows its lives as starting until all are ready, and then goes over at once")
    func rollout() throws {
        var lives: UInt64 = 0
        var machine = WorkloadMachine(try spec(replicas: 2), backoff: backoff)
        _ = machine.begin(now: .zero, numbers: &lives)
        for life in UInt64(1)...2 { _ = ready(&machine, life, &lives) }
        let newer = try spec(generation: 2, replicas: 2, token: 1)
        let (outcome, actions) = try machine.apply(newer, now: .zero, lives: &lives)
        #expect(outcome == .updated && actions.count == 2 && lives == 4)
        #expect(ready(&machine, 3, &lives).isEmpty)
        #expect(machine.status.instances.map(\.phase) == [.ready, .starting, .ready, .starting])
        #expect(machine.status.instances[1].endpoint == nil)
        #expect(ready(&machine, 4, &lives).isEmpty)
        #expect(machine.status.instances.map(\.phase) == [.ready, .draining, .ready, .draining])
        #expect(machine.status.instances.map(\.generation) == [2, 1, 2, 1])
        #expect(machine.nextDeadline == .seconds(300))
        let released = machine.release(0, Incarnation("i1"), now: .seconds(1), lives: &lives)
        #expect(released == [.stop(life: 1, grace: .seconds(5))])
        #expect(machine.tick(now: .seconds(300), lives: &lives) == [.stop(life: 2, grace: .seconds(5))])
        for life in UInt64(1)...2 {
            let actions = machine.ended(
                life: life, .exited("x"), now: .seconds(300), random: 0.5, lives: &lives)
            #expect(actions.isEmpty)
        }
        #expect(machine.status.instances.map(\.phase) == [.ready, .ready])
    }

    @Test("a withdrawn generation is tried again by a newer one only, and the words say what happened")
    func withdrawal() throws {
        var lives: UInt64 = 0
        var machine = WorkloadMachine(try spec(), backoff: backoff)
        _ = machine.begin(now: .zero, numbers: &lives)
        _ = ready(&machine, 1, &lives)
        let broken = try spec(generation: 2, token: 1)
        _ = try machine.apply(broken, now: .zero, lives: &lives)
        _ = machine.ended(life: 2, .startupTimedOut("no answer"), now: .zero, random: 0.5, lives: &lives)
        #expect(
            machine.status.failure
                == PhaseReason(
                    .rolledBack,
                    "generation 2 was withdrawn, since instance 0 failed: no answer; generation 1 goes on"))
        #expect(machine.status.instances.map(\.incarnation) == [Incarnation("i1")])
        let again = try machine.apply(broken, now: .zero, lives: &lives)
        #expect(again.0 == .unchanged && again.1.isEmpty)
        #expect(try machine.apply(try spec(generation: 3, token: 1), now: .zero, lives: &lives).1.count == 1)
        #expect(machine.status.failure == nil)
    }

    @Test("a second life waits for the first one's end where both can't run")
    func inPlace() throws {
        var lives: UInt64 = 0
        var machine = WorkloadMachine(try spec(), backoff: backoff) { _, _ in false }
        _ = machine.begin(now: .zero, numbers: &lives)
        _ = ready(&machine, 1, &lives)
        let parked = machine.park(0, Incarnation("i1"), now: .zero, lives: &lives)
        #expect(parked == [.stop(life: 1, grace: .seconds(5))])
        #expect(machine.wake(0, now: .zero, lives: &lives).isEmpty && machine.status.instances[0].phase == .parked)
        #expect(machine.ended(life: 1, .exited("x"), now: .zero, random: 0.5, lives: &lives).count == 1)
        _ = ready(&machine, 2, &lives)
        let (_, actions) = try machine.apply(try spec(generation: 2, token: 1), now: .zero, lives: &lives)
        #expect(actions == [.stop(life: 2, grace: .seconds(5))])
        #expect(machine.ended(life: 2, .exited("x"), now: .zero, random: 0.5, lives: &lives).count == 1)
    }

    @Test("what runs from before serves until the spec's own lives do, and is not released by who can't know")
    func heritage() throws {
        var lives: UInt64 = 0
        var machine = WorkloadMachine(try spec(), backoff: backoff)
        let actions = machine.begin(
            inheriting: [InheritedLife(ordinal: 0, name: "a"), InheritedLife(ordinal: 1, name: "b")], now: .zero,
            numbers: &lives)
        #expect(actions.count == 3)
        for life in UInt64(1)...2 {
            machine.placed(
                life: life, Incarnation("i\(life)"), .tcp(host: "127.0.0.1", port: UInt16(life)), takenOverAt: .zero)
            _ = machine.probeSucceeded(life: life, now: .zero, lives: &lives)
        }
        #expect(machine.status.instances.map(\.phase) == [.ready, .starting, .ready])
        _ = ready(&machine, 3, &lives)
        #expect(machine.status.instances.map(\.phase) == [.ready, .draining, .draining])
        #expect(machine.release(0, Incarnation("i1"), now: .seconds(1), lives: &lives).isEmpty)
        #expect(machine.tick(now: .seconds(300), lives: &lives).count == 2)
    }

    @Test("a life that goes on under a new record is not drained for its own sessions")
    func sameLife() throws {
        var lives: UInt64 = 0
        var machine = WorkloadMachine(try spec(), backoff: backoff)
        _ = machine.begin(now: .zero, numbers: &lives)
        machine.placed(life: 1, Incarnation("place"), .tcp(host: "127.0.0.1", port: 9))
        _ = machine.probeSucceeded(life: 1, now: .zero, lives: &lives)
        _ = try machine.apply(try spec(generation: 2, token: 1), now: .zero, lives: &lives)
        machine.placed(life: 2, Incarnation("place"), .tcp(host: "127.0.0.1", port: 9))
        let actions = machine.probeSucceeded(life: 2, now: .zero, lives: &lives)
        #expect(actions == [.stop(life: 1, grace: .seconds(5))])
    }

    @Test("what was parked while it started, or waited to, is woken as new")
    func parkedEarly() throws {
        var lives: UInt64 = 0
        var machine = WorkloadMachine(try spec(), backoff: backoff)
        _ = machine.begin(now: .zero, numbers: &lives)
        machine.placed(life: 1, Incarnation("i1"), .tcp(host: "127.0.0.1", port: 9))
        #expect(machine.park(0, Incarnation("i1"), now: .zero, lives: &lives).count == 1)
        // Its end is no failure, and what it tells on its way changes nothing.
        #expect(machine.probeSucceeded(life: 1, now: .zero, lives: &lives).isEmpty)
        #expect(machine.ended(life: 1, .exited("x"), now: .zero, random: 0.5, lives: &lives).isEmpty)
        #expect(machine.status.instances.map(\.phase) == [.parked] && machine.nextDeadline == nil)
        #expect(machine.wake(0, now: .zero, lives: &lives).count == 1)
        _ = machine.ended(life: 2, .exited("x"), now: .zero, random: 0.5, lives: &lives)
        #expect(machine.nextDeadline == .seconds(1), "the first failure again")
        #expect(machine.status.instances[0].restarts == 0)
    }

    @Test("what runs from before is not stopped because its successor was faster")
    func slowHeritage() throws {
        var lives: UInt64 = 0
        var machine = WorkloadMachine(try spec(), backoff: backoff)
        _ = machine.begin(inheriting: [InheritedLife(ordinal: 0, name: "a")], now: .zero, numbers: &lives)
        #expect(ready(&machine, 2, &lives).isEmpty)
        #expect(machine.status.instances.map(\.phase) == [.ready, .draining])
        machine.placed(life: 1, Incarnation("old"), .tcp(host: "127.0.0.1", port: 9), takenOverAt: .zero)
        #expect(machine.status.instances[1].incarnation == Incarnation("old"))
        #expect(machine.status.instances[1].endpoint != nil)
    }

    @Test("when nothing is left of what ran before, the spec is tried although it was withdrawn")
    func lostHeritage() throws {
        var lives: UInt64 = 0
        var machine = WorkloadMachine(try spec(), backoff: backoff)
        _ = machine.begin(inheriting: [InheritedLife(ordinal: 0, name: "a")], now: .zero, numbers: &lives)
        _ = ready(&machine, 1, &lives)
        _ = machine.ended(life: 2, .startupTimedOut("no answer"), now: .zero, random: 0.5, lives: &lives)
        #expect(machine.status.failure?.code == .rolledBack)
        let actions = machine.ended(life: 1, .exited("x"), now: .zero, random: 0.5, lives: &lives)
        #expect(actions.count == 1 && machine.status.failure == nil)
    }

    @Test("what a life tells after its end is ignored")
    func stale() throws {
        var lives: UInt64 = 0
        var machine = WorkloadMachine(try spec(), backoff: backoff)
        _ = machine.begin(now: .zero, numbers: &lives)
        _ = machine.ended(life: 1, .exited("x"), now: .zero, random: 0.5, lives: &lives)
        let before = machine.status
        _ = ready(&machine, 1, &lives)
        _ = machine.ended(life: 1, .exited("y"), now: .zero, random: 0.5, lives: &lives)
        #expect(machine.status == before)
    }
}
