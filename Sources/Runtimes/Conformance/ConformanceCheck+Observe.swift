// SPDX-License-Identifier: MIT

import RuntimeContract

extension ConformanceCheck {
    static let observeChecks: [ConformanceCheck] = [
        ConformanceCheck("the first element is the present state") { context in
            let spec = context.spec()
            let status = try await context.applyAndWait(spec)
            let first = try await context.withDeadline("a first element") {
                for await snapshot in context.driver.observe() { return snapshot }
                throw ConformanceFailure(message: "the states ended", line: #line)
            }
            try expect(first.isReachable && first.workloads[spec.id] == status, "what status says: \(first)")
        },
        ConformanceCheck("a slow reader gets the newest state, not a backlog") { context in
            var states = context.driver.observe().makeAsyncIterator()
            let specs = (1...3).map { context.spec(generation: Int64($0), replicas: $0) }
            for spec in specs { try await context.applyAndWait(spec) }
            let newest = try await context.status(of: ConformanceContext.workload)
            var read = 0
            while let snapshot = await states.next(), read < 3 {
                read += 1
                if snapshot.workloads[newest.id] == newest { break }
            }
            try expect(read <= 2, "the newest state is there within two reads, not \(read)")
        },
        ConformanceCheck("two readers agree") { context in
            let driver = context.driver
            let spec = context.spec(replicas: 2)
            async let one = context.eventuallyReady(spec)
            async let two = context.eventuallyReady(spec)
            _ = try await driver.apply(spec)
            let (first, second) = try await (one, two)
            try expect(first == second, "both see the same: \(first), \(second)")
        },
        ConformanceCheck("an instance that crashes is started again as a new incarnation, the others go on") {
            context in
            let spec = context.spec(replicas: 3)
            let before = try await context.applyAndWait(spec)
            try await context.harness.kill(context.instance(1))
            let after = try await context.eventually("instance 1 is back") { status in
                status.instances.count == 3 && status.readyReplicas == 3
                    && status.incarnations[1] != before.incarnations[1]
            }
            try expect(after.instances[1].restarts == 1, "the restart is counted: \(after)")
            for ordinal in [0, 2] {
                try expect(
                    after.instances[ordinal] == before.instances[ordinal], "instance \(ordinal) goes on: \(after)")
            }
        },
        ConformanceCheck("a crash is explained while the instance waits to be started again") { context in
            var living = try await context.applyAndWait(context.spec()).incarnations[0]
            var reason: PhaseReason?
            // States are conflated, and the first wait can be over before one shows it; each is longer than the one before.
            while reason == nil {
                try await context.harness.kill(context.instance(0))
                let killed = living
                let next = try await context.eventually("it waits, or is back") { status in
                    guard let instance = status.instances.first else { return false }
                    return instance.phase == .backingOff
                        || (instance.phase == .ready && instance.incarnation != killed)
                }
                if next.instances[0].phase == .backingOff { reason = next.instances[0].reason }
                living = next.incarnations[0]
            }
            try expect(
                reason?.message.contains("SIGKILL") == true, "the signal is named: \(String(describing: reason))")
        },
        ConformanceCheck(
            "without contact the endpoints are kept, and the truth follows when it is back",
            requirements: [.contactLoss]
        ) { context in
            let spec = context.spec(replicas: 2)
            let before = try await context.applyAndWait(spec)
            try await context.harness.cutConnection()
            let lost = try await context.eventuallySnapshot("the loss is seen") { !$0.isReachable }
            let kept = try require(lost.workloads[spec.id], "the workload is still shown")
            try expect(
                kept.instances.map(\.endpoint) == before.instances.map(\.endpoint), "endpoints are kept: \(kept)")
            try expect(kept.instances.allSatisfy { $0.phase == .unknown }, "phases are unknown: \(kept)")
            try await context.expectError(.unavailable, "apply") {
                _ = try await context.driver.apply(context.spec(.newerServer, generation: 2, replicas: 2))
            }
            try await context.harness.kill(context.instance(1))
            try await context.harness.restoreConnection()
            try await context.eventuallySnapshot("the contact is back") { $0.isReachable }
            let after = try await context.eventually("instance 1 is back") { status in
                status.readyReplicas == 2 && status.incarnations[1] != before.incarnations[1]
            }
            try expect(after.incarnations[0] == before.incarnations[0], "instance 0 went on: \(after)")
        },
    ]
}
