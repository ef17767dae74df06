// SPDX-License-Identifier: MIT

import RuntimeContract
import Testing

@Suite("The phases of an instance")
struct InstancePhaseTests {
    @Test(
        "what runs or waits to run can be parked, and what is on its way out can't", arguments: InstancePhase.allCases)
    func parking(_ phase: InstancePhase) {
        switch phase {
        case .pending, .starting, .ready, .unready, .backingOff, .parked:
            #expect(phase.after(.parkRequested) == .parked)
        case .draining, .stopped, .unknown:
            #expect(phase.after(.parkRequested) == nil)
        }
    }

    @Test("a parked instance takes no session, runs nothing, and starts or goes when it is asked to")
    func parked() {
        let phase = InstancePhase.parked
        #expect(!phase.acceptsNewSessions && !phase.acceptsBoundSessions && !phase.isRunning)
        #expect(phase.after(.placed) == .starting)
        #expect(phase.after(.removalRequested) == .stopped)
        #expect(phase.after(.contactLost) == .unknown)
        for event: InstancePhase.Event in [.probeSucceeded, .probeFailed, .startupTimedOut, .exited] {
            #expect(phase.after(event) == nil)
        }
    }
}

@Suite("Two specs")
struct WorkloadSpecTests {
    @Test("differ for what runs only in what a process can see")
    func runsLike() throws {
        let id = try #require(WorkloadID("w"))
        let spec = WorkloadSpec(id: id, generation: 1, source: .image(name: "i", version: "1"))
        var other = spec
        other.generation = 2
        other.replicas = 7
        other.gracePeriod = .zero
        other.drainTime = .zero
        other.labels = ["a": "b"]
        #expect(other.runsLike(spec))
        other.environment = ["A": "1"]
        #expect(!other.runsLike(spec))
    }
}
