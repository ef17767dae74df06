// SPDX-License-Identifier: MIT

import Model
import RuntimeContract
import Testing

@testable import DataPlane

@Suite("Closing an instance that nobody uses")
struct ParkingTests {
    private let load = PlacementLoad()

    @Test("an unused one is closed, and takes nothing until it is opened again")
    func closes() {
        #expect(load.close(since: load.use))
        #expect(load.isClosed)
        #expect(!load.beginRequest())
        #expect(load.requests == 0)
        load.reopen()
        #expect(load.beginRequest())
        #expect(load.requests == 1)
    }

    @Test("one with a request under way is not closed")
    func staysOpenWhileUsed() {
        #expect(load.beginRequest())
        #expect(!load.close(since: load.use))
        load.endRequest()
        #expect(load.close(since: load.use))
    }

    @Test("one that was used since the last look is not closed")
    func staysOpenAfterUse() {
        let before = load.use
        #expect(load.beginRequest())
        load.endRequest()
        #expect(!load.close(since: before))
        #expect(!load.isClosed)
        #expect(load.use.begun == before.begun + 1)
    }

    @Test("whatever the loops do at once, either a request has begun or the instance is closed")
    func decidesOnce() async {
        for _ in 0..<500 {
            let load = PlacementLoad()
            let use = load.use
            async let closed = Task.detached { load.close(since: use) }.value
            async let begun = Task.detached { load.beginRequest() }.value
            let (isClosed, hasBegun) = await (closed, begun)
            #expect(isClosed != hasBegun)
            #expect(load.requests == (hasBegun ? 1 : 0))
        }
    }

    @Test("a closed one is not chosen")
    func isNotChosen() throws {
        let open = PlacementLoad()
        let workload = try #require(WorkloadID("example"))
        let candidates = [load, open].enumerated().map { ordinal, load in
            PlacementCandidate(
                endpoint: InstanceEndpoint(
                    id: InstanceID(workload: workload, ordinal: ordinal), incarnation: Incarnation("1"),
                    endpoint: .unix(path: "/run/\(ordinal)"), acceptsNewSessions: true),
                load: load)
        }
        #expect(load.close(since: load.use))
        var generator = SystemRandomNumberGenerator()
        for purpose in [Placement.Purpose.session, .request] {
            let chosen = Placement.choose(for: purpose, among: candidates, using: &generator)
            #expect(chosen?.load === open)
        }
        for key in UInt64(0)..<32 {
            #expect(Placement.choose(by: key, among: candidates)?.load === open)
        }
    }
}
