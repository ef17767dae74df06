// SPDX-License-Identifier: MIT

import RuntimeContract

extension ConformanceCheck {
    /// Longer than the patience of the suite: what ends was released.
    private static let longTime = Duration.seconds(600)

    static let drainChecks: [ConformanceCheck] = [
        ConformanceCheck("replaced instances go on for their sessions until they are released") { context in
            guard context.driver.capabilities.rollsOutBeside else { return }
            let before = try await context.applyAndWait(context.spec(replicas: 2))
            _ = try await context.driver.apply(
                with(context.spec(.newerServer, generation: 2, replicas: 2)) { $0.drainTime = longTime })
            let both = try await context.eventually("the new ones are ready") { status in
                status.instances.count { $0.phase == .ready && $0.generation == 2 } == 2
            }
            let old = both.instances.filter { $0.phase == .draining }
            try expect(
                old.map(\.incarnation) == before.instances.map(\.incarnation), "the old ones drain: \(both)")
            try expect(
                old.map(\.endpoint) == before.instances.map(\.endpoint), "and answer where they did: \(both)")
            try expect(old.allSatisfy { $0.reason?.code == .draining }, "the reason says so: \(both)")
            // Nothing of this concerns anybody.
            for instance in both.instances where instance.phase == .ready {
                let incarnation = try require(instance.incarnation, "a life has a name: \(instance)")
                await context.driver.release(instance.id, incarnation: incarnation)
            }
            await context.driver.release(context.instance(7), incarnation: Incarnation("unknown"))
            let unmoved = try await context.status(of: before.id)
            try expect(unmoved.incarnationsAndPhases == both.incarnationsAndPhases, "nothing moves: \(unmoved)")
            let first = try require(old.first?.incarnation, "a life has a name: \(old)")
            await context.driver.release(context.instance(0), incarnation: first)
            let one = try await context.eventually("the first one ends") { $0.instances.count == 3 }
            try expect(one.instances.last?.phase == .draining, "the other one goes on: \(one)")
            let running = try await context.harness.countRunning()
            try expect(running == 3, "3 instances really run, not \(running)")
            let second = try require(old.last?.incarnation, "a life has a name: \(old)")
            await context.driver.release(context.instance(1), incarnation: second)
            try await context.eventually("the second one ends") { $0.instances.count == 2 && $0.readyReplicas == 2 }
        },
        ConformanceCheck("what drains and is never released ends when its time is over") { context in
            guard context.driver.capabilities.rollsOutBeside else { return }
            try await context.applyAndWait(context.spec(replicas: 1))
            _ = try await context.driver.apply(
                with(context.spec(.newerServer, generation: 2)) { $0.drainTime = .milliseconds(500) })
            try await context.eventually("only the new one is left") { status in
                status.instances.count == 1 && status.readyReplicas == 1 && status.updatedReplicas == 1
            }
        },
        ConformanceCheck("fewer replicas drain the highest ordinals, and more come back beside them or are taken back")
        { context in
            guard context.driver.capabilities.rollsOutBeside else { return }
            let spec = with(context.spec(replicas: 3)) { $0.drainTime = longTime }
            let before = try await context.applyAndWait(spec)
            _ = try await context.driver.apply(with(spec) { ($0.generation, $0.replicas) = (2, 1) })
            let fewer = try await context.eventually("two drain") { status in
                status.instances.map(\.phase) == [.ready, .draining, .draining]
            }
            try expect(fewer.incarnations == before.incarnations, "all are the same lives: \(fewer)")
            _ = try await context.driver.apply(with(spec) { ($0.generation, $0.replicas) = (3, 2) })
            let more = try await context.eventually("one is back") { status in
                let phases = status.instances.map(\.phase)
                return phases == [.ready, .ready, .draining, .draining] || phases == [.ready, .ready, .draining]
            }
            let isTakenBack = more.instances.count == 3
            try expect(
                more.instances.map(\.id.ordinal) == (isTakenBack ? [0, 1, 2] : [0, 1, 1, 2]),
                "the new life comes first: \(more)")
            if isTakenBack {
                try expect(more.incarnations == before.incarnations, "all are the same lives: \(more)")
            }
            // A removal waits for nobody's sessions.
            try await context.driver.remove(spec.id, gracePeriod: .seconds(10))
            let running = try await context.harness.countRunning()
            try expect(running == 0, "nothing really runs, not \(running)")
        },
        ConformanceCheck("what no process can see restarts nothing") { context in
            let before = try await context.applyAndWait(context.spec(replicas: 1))
            let spec = with(context.spec(generation: 2, replicas: 2)) { spec in
                spec.drainTime = longTime
                // Where instances are made from a template that has these, as pods are, they can't change in place.
                guard context.driver.capabilities.rollsOutBeside else { return }
                spec.gracePeriod = .seconds(11)
                spec.labels = ["team": "a"]
            }
            let outcome = try await context.driver.apply(spec)
            try expect(outcome == .updated, "updated is expected, got \(outcome)")
            let after = try await context.eventuallyReady(spec)
            try expect(after.incarnations[0] == before.incarnations[0], "instance 0 goes on: \(after)")
        },
    ]
}

extension WorkloadStatus {
    fileprivate var incarnationsAndPhases: [String] {
        instances.map { "\($0.id) \(String(describing: $0.incarnation)) \($0.phase)" }
    }
}
