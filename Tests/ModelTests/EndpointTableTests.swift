// SPDX-License-Identifier: MIT

import Model
import RuntimeContract
import Testing

@Suite("Table of endpoints")
struct EndpointTableTests {
    private let id: WorkloadID

    init() throws { id = try #require(WorkloadID("a")) }

    private func snapshot(_ phases: [InstancePhase], incarnation: String = "i", isReachable: Bool = true)
        -> RuntimeSnapshot
    {
        let instances = phases.enumerated().map { ordinal, phase in
            InstanceStatus(
                id: InstanceID(workload: id, ordinal: ordinal), incarnation: Incarnation(incarnation), generation: 1,
                phase: phase, endpoint: .tcp(host: "127.0.0.1", port: UInt16(ordinal + 1)))
        }
        return RuntimeSnapshot(
            isReachable: isReachable,
            workloads: [
                id: WorkloadStatus(
                    id: id, observedGeneration: 1, desiredReplicas: phases.count, image: "", instances: instances)
            ])
    }

    @Test("while the platform can't be asked, instances go on taking what they took before")
    func contactLost() {
        let before = EndpointTable(snapshot([.ready, .unready, .draining]))
        let lost = snapshot([.unknown, .unknown, .unknown], isReachable: false)
        let after = EndpointTable(lost, after: before)
        #expect(after == before)
        #expect(EndpointTable(lost, after: after) == before)
        #expect(after.instances[id]?.map(\.acceptsNewSessions) == [true, false, false])
    }

    @Test("another life of which nothing is known takes no new sessions")
    func otherLife() {
        let before = EndpointTable(snapshot([.ready]))
        let after = EndpointTable(snapshot([.unknown], incarnation: "j", isReachable: false), after: before)
        #expect(after.instances[id]?.map(\.acceptsNewSessions) == [false])
        let fresh = EndpointTable(snapshot([.unknown], isReachable: false))
        #expect(fresh.instances[id]?.map(\.acceptsNewSessions) == [false])
    }

    @Test("what the runtime has said nothing of is not known, what has no instances is")
    func known() {
        #expect(EndpointTable().knows(id) == false)
        #expect(EndpointTable().expectsInstances(of: id))
        #expect(EndpointTable(snapshot([])).knows(id))
        #expect(EndpointTable(snapshot([])).expectsInstances(of: id) == false)
    }
}
