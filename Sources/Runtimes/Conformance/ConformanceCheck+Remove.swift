// SPDX-License-Identifier: MIT

import RuntimeContract

extension ConformanceCheck {
    static let removeChecks: [ConformanceCheck] = [
        ConformanceCheck("removing a workload that does not exist succeeds") { context in
            try await context.driver.remove(ConformanceContext.workload, gracePeriod: .seconds(1))
        },
        ConformanceCheck("a removed workload is gone when the removal returns") { context in
            let spec = context.spec(replicas: 2)
            try await context.applyAndWait(spec)
            try await context.driver.remove(spec.id, gracePeriod: .seconds(10))
            let running = try await context.harness.countRunning()
            try expect(running == 0, "nothing really runs, not \(running)")
            try await context.expectError(.notFound, "status") { _ = try await context.status(of: spec.id) }
            try await context.eventuallySnapshot("it is not shown") { $0.workloads[spec.id] == nil }
            try await context.expectError(.notFound, "logs") {
                _ = try await context.driver.logs(of: context.instance(0), options: LogOptions())
            }
        },
        ConformanceCheck("a workload that starts can be removed") { context in
            let spec = context.spec(replicas: 3)
            _ = try await context.driver.apply(spec)
            try await context.driver.remove(spec.id, gracePeriod: .seconds(10))
            let running = try await context.harness.countRunning()
            try expect(running == 0, "nothing really runs, not \(running)")
        },
        ConformanceCheck("removals of one workload at once all succeed") { context in
            let spec = context.spec(replicas: 2)
            try await context.applyAndWait(spec)
            let driver = context.driver
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<4 { group.addTask { try await driver.remove(spec.id, gracePeriod: .seconds(10)) } }
                try await group.waitForAll()
            }
            let running = try await context.harness.countRunning()
            try expect(running == 0, "nothing really runs, not \(running)")
        },
        ConformanceCheck("an instance that goes on when asked to end is killed after the grace period, not before") {
            context in
            let spec = context.spec(.stubbornServer)
            try await context.applyAndWait(spec)
            let grace = Duration.milliseconds(700)
            let start = ContinuousClock.now
            let driver = context.driver
            async let removal: Void = driver.remove(spec.id, gracePeriod: grace)
            let status = try await context.eventually("it is on the way out") { $0.instances.first?.phase == .draining }
            try expect(status.instances.first?.endpoint != nil, "bound sessions still go there: \(status)")
            try await removal
            let elapsed = ContinuousClock.now - start
            try expect(elapsed >= grace, "the grace period is kept: \(elapsed)")
            let running = try await context.harness.countRunning()
            try expect(running == 0, "nothing really runs, not \(running)")
        },
        ConformanceCheck(
            "a second removal with a shorter grace period is not held up by the first", requirements: [.shortenedGrace]
        ) { context in
            let spec = context.spec(.stubbornServer)
            try await context.applyAndWait(spec)
            let driver = context.driver
            // Longer than the patience of the suite: the check fails if it is waited for.
            async let first: Void = driver.remove(spec.id, gracePeriod: .seconds(600))
            try await context.eventually("it is on the way out") { $0.instances.first?.phase == .draining }
            try await driver.remove(spec.id, gracePeriod: .zero)
            try await first
        },
        ConformanceCheck("a workload made again under the same name has new incarnations") { context in
            let spec = context.spec(replicas: 2)
            let before = try await context.applyAndWait(spec)
            try await context.driver.remove(spec.id, gracePeriod: .seconds(10))
            let outcome = try await context.driver.apply(spec)
            try expect(outcome == .created, "created is expected, got \(outcome)")
            let after = try await context.eventuallyReady(spec)
            try expect(
                Set(after.incarnations.values).isDisjoint(with: before.incarnations.values), "all are new: \(after)")
        },
        ConformanceCheck("an apply during a removal takes effect after it") { context in
            var spec = context.spec(.stubbornServer)
            // The suite's own shutdown waits for it.
            spec.gracePeriod = .milliseconds(300)
            let before = try await context.applyAndWait(spec)
            let (driver, id) = (context.driver, spec.id)
            async let removal: Void = driver.remove(id, gracePeriod: .milliseconds(300))
            try await context.eventually("it is on the way out") { $0.instances.first?.phase == .draining }
            let outcome = try await driver.apply(spec)
            try expect(outcome == .created, "created is expected, got \(outcome)")
            try await removal
            let after = try await context.eventuallyReady(spec)
            try expect(after.incarnations != before.incarnations, "it is a new one: \(after)")
        },
    ]
}
