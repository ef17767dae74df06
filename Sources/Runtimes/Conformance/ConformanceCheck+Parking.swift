// SPDX-License-Identifier: MIT

import RuntimeContract

/// A driver without the capability refuses to park, and is not asked for more.
extension ConformanceCheck {
    static let parkingChecks: [ConformanceCheck] = [
        ConformanceCheck("a driver that can't park says so") { context in
            guard !context.driver.capabilities.parking else { return }
            let (driver, instance) = (context.driver, context.instance(0))
            try await context.expectError(.unsupported, "park") {
                try await driver.park(instance, incarnation: Incarnation("any"))
            }
            try await context.expectError(.unsupported, "wake") { try await driver.wake(instance) }
        },
        ConformanceCheck("a parked instance runs nothing until it is woken, as a new life") { context in
            guard context.driver.capabilities.parking else { return }
            let before = try await context.applyAndWait(context.spec(replicas: 2))
            let incarnation = try require(before.incarnations[1], "a life has a name: \(before)")
            let (driver, instance) = (context.driver, context.instance(1))
            try await driver.park(instance, incarnation: Incarnation("another"))
            let unmoved = try await context.status(of: before.id)
            try expect(unmoved.incarnations == before.incarnations, "another life is not meant: \(unmoved)")
            for _ in 0..<2 { try await driver.park(instance, incarnation: incarnation) }
            let parked = try await context.eventually("it is parked") { status in
                status.instances.map(\.phase) == [.ready, .parked]
            }
            let shown = try require(parked.instances.last, "it is shown: \(parked)")
            try expect(shown.endpoint == nil && shown.reason?.code == .parked, "it answers nowhere: \(parked)")
            try expect(parked.failure == nil && parked.readyReplicas == 1, "the counts agree: \(parked)")
            try await context.withDeadline("its process has ended") {
                while try await context.harness.countRunning() != 1 { try await Task.sleep(for: .milliseconds(10)) }
            }
            let outcome = try await driver.apply(context.spec(replicas: 2))
            try expect(outcome == .unchanged, "it is as wanted: \(outcome)")
            try await driver.wake(context.instance(0))
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<8 { group.addTask { try await driver.wake(instance) } }
                try await group.waitForAll()
            }
            let after = try await context.eventuallyReady(context.spec(replicas: 2))
            try expect(after.incarnations[0] == before.incarnations[0], "the other one was not touched: \(after)")
            try expect(after.incarnations[1] != incarnation, "it is a new life: \(after)")
            try expect(after.instances.allSatisfy { $0.restarts == 0 }, "nothing was restarted: \(after)")
            let running = try await context.harness.countRunning()
            try expect(running == 2, "2 instances really run, not \(running)")
        },
        ConformanceCheck("an instance can be woken before its process has ended") { context in
            guard context.driver.capabilities.parking else { return }
            var spec = context.spec(.stubbornServer)
            spec.gracePeriod = .milliseconds(500)
            let before = try await context.applyAndWait(spec)
            let incarnation = try require(before.incarnations[0], "a life has a name: \(before)")
            try await context.driver.park(context.instance(0), incarnation: incarnation)
            try await context.driver.wake(context.instance(0))
            let after = try await context.eventuallyReady(spec)
            try expect(after.incarnations != before.incarnations, "it is a new life: \(after)")
        },
        ConformanceCheck("a parked workload takes new generations, can be scaled and removed") { context in
            guard context.driver.capabilities.parking else { return }
            let before = try await context.applyAndWait(context.spec(replicas: 2))
            for (ordinal, incarnation) in before.incarnations {
                try await context.driver.park(context.instance(ordinal), incarnation: incarnation)
            }
            try await context.eventually("all are parked") { $0.instances.allSatisfy { $0.phase == .parked } }
            try await context.applyAndWait(context.spec(.newerServer, generation: 2, replicas: 2))
            let ready = try await context.status(of: before.id)
            for (ordinal, incarnation) in ready.incarnations {
                try await context.driver.park(context.instance(ordinal), incarnation: incarnation)
            }
            _ = try await context.driver.apply(context.spec(.newerServer, generation: 3, replicas: 1))
            try await context.eventually("one parked one is left") { $0.instances.map(\.phase) == [.parked] }
            try await context.driver.remove(before.id, gracePeriod: .seconds(10))
            let running = try await context.harness.countRunning()
            try expect(running == 0, "nothing really runs, not \(running)")
        },
    ]
}
