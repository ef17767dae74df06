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
        _ = machine.begin(lives: &lives)
        var now = Duration.zero
        var codes: [PhaseReason.Code?] = []
        for wait in [1, 2, 4, 8, 8] {
            let end = machine.ended(life: lives, .exited("exit code 3"), now: now, random: 0.5, lives: &lives)
            #expect(end.isEmpty)
            codes.append(machine.status.instances[0].reason?.code)
            #expect(machine.nextRetry == now + .seconds(wait))
            #expect(machine.retry(now: now, lives: &lives).isEmpty)
            now += .seconds(wait)
            #expect(machine.retry(now: now, lives: &lives).count == 1)
        }
        #expect(codes == [.exited, .exited, .crashLoop, .crashLoop, .crashLoop])
        #expect(machine.status.instances[0].restarts == 5)
    }

    @Test("an instance that was ready long enough has its failures forgotten")
    func reset() throws {
        var lives: UInt64 = 0
        var machine = WorkloadMachine(try spec(), backoff: backoff)
        _ = machine.begin(lives: &lives)
        _ = machine.ended(life: 1, .exited("x"), now: .zero, random: 0.5, lives: &lives)
        _ = machine.retry(now: .seconds(1), lives: &lives)
        _ = ready(&machine, 2, now: .seconds(2), &lives)
        _ = machine.ended(life: 2, .exited("x"), now: .seconds(62), random: 0.5, lives: &lives)
        #expect(machine.nextRetry == .seconds(63))
    }

    @Test("a roll-out goes on only when the replacement is ready")
    func rollout() throws {
        var lives: UInt64 = 0
        var machine = WorkloadMachine(try spec(replicas: 2), backoff: backoff)
        _ = machine.begin(lives: &lives)
        for life in UInt64(1)...2 { _ = ready(&machine, life, &lives) }
        let (outcome, actions) = try machine.apply(try spec(generation: 2, replicas: 2, token: 1), lives: &lives)
        #expect(outcome == .updated)
        #expect(actions == [.stop(life: 2, grace: .seconds(5))])
        let next = machine.ended(life: 2, .exited("x"), now: .zero, random: 0.5, lives: &lives)
        #expect(next.count == 1 && lives == 3)
        #expect(ready(&machine, 3, &lives) == [.stop(life: 1, grace: .seconds(5))])
    }

    @Test("what a life tells after its end is ignored")
    func stale() throws {
        var lives: UInt64 = 0
        var machine = WorkloadMachine(try spec(), backoff: backoff)
        _ = machine.begin(lives: &lives)
        _ = machine.ended(life: 1, .exited("x"), now: .zero, random: 0.5, lives: &lives)
        let before = machine.status
        _ = ready(&machine, 1, &lives)
        _ = machine.ended(life: 1, .exited("y"), now: .zero, random: 0.5, lives: &lives)
        #expect(machine.status == before)
    }
}
