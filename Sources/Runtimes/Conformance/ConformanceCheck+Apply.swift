// SPDX-License-Identifier: MIT

import RuntimeContract

extension ConformanceCheck {
    static let applyChecks: [ConformanceCheck] = [
        ConformanceCheck("every replica becomes ready, with ordinals from 0") { context in
            let spec = context.spec(replicas: 3)
            let outcome = try await context.driver.apply(spec)
            try expect(outcome == .created, "created is expected, got \(outcome)")
            let status = try await context.eventuallyReady(spec)
            try expect(status.instances.map(\.id.ordinal) == [0, 1, 2], "ordinals 0, 1, 2: \(status)")
            try expect(status.desiredReplicas == 3 && status.availableReplicas == 3, "the counts agree: \(status)")
            try expect(status.updatedReplicas == 3 && status.failure == nil, "the counts agree: \(status)")
            let running = try await context.harness.countRunning()
            try expect(running == 3, "3 instances really run, not \(running)")
            for usage in try await context.driver.status(of: spec.id).instances.compactMap(\.usage) {
                try expect(
                    usage.processes > 0 && usage.residentBytes > 0 && usage.cpuTime >= .zero,
                    "what is used is told only where it is known: \(usage)")
            }
        },
        ConformanceCheck("a spec that is applied again changes nothing") { context in
            let spec = context.spec(replicas: 2)
            let before = try await context.applyAndWait(spec)
            let outcome = try await context.driver.apply(spec)
            try expect(outcome == .unchanged, "unchanged is expected, got \(outcome)")
            let after = try await context.status(of: spec.id)
            try expect(after == before, "nothing moves: \(before), then \(after)")
        },
        ConformanceCheck("a newer generation of the same spec is satisfied by the instances there are") { context in
            let before = try await context.applyAndWait(context.spec(replicas: 2))
            let outcome = try await context.driver.apply(context.spec(generation: 7, replicas: 2))
            try expect(outcome == .unchanged, "unchanged is expected, got \(outcome)")
            let after = try await context.eventuallyReady(context.spec(generation: 7, replicas: 2))
            try expect(after.incarnations == before.incarnations, "nothing was started anew: \(after)")
        },
        ConformanceCheck("the order of the environment does not matter") { context in
            var spec = context.spec()
            for name in ["A", "B", "C", "D"] { spec.environment[name] = "value" }
            let before = try await context.applyAndWait(spec)
            spec.environment = [:]
            for name in ["D", "C", "B", "A"] { spec.environment[name] = "value" }
            let outcome = try await context.driver.apply(spec)
            try expect(outcome == .unchanged, "unchanged is expected, got \(outcome)")
            let after = try await context.status(of: spec.id)
            try expect(after.incarnations == before.incarnations, "nothing was started anew: \(after)")
        },
        ConformanceCheck("an older generation is superseded, and nothing moves") { context in
            let before = try await context.applyAndWait(context.spec(generation: 5))
            try await context.expectError(.superseded, "an older generation") {
                _ = try await context.driver.apply(context.spec(.newerServer, generation: 4))
            }
            let after = try await context.status(of: before.id)
            try expect(after == before, "nothing moves: \(before), then \(after)")
        },
        ConformanceCheck("eight applies of one workload at once have one effect") { context in
            let spec = context.spec(replicas: 2)
            let driver = context.driver
            let outcomes = try await withThrowingTaskGroup(of: ApplyOutcome.self) { group in
                for _ in 0..<8 { group.addTask { try await driver.apply(spec) } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            try expect(outcomes.count { $0 == .created } == 1, "one of them creates: \(outcomes)")
            try expect(outcomes.count { $0 == .unchanged } == 7, "the others find it done: \(outcomes)")
            try await context.eventuallyReady(spec)
            let running = try await context.harness.countRunning()
            try expect(running == 2, "2 instances really run, not \(running)")
        },
        ConformanceCheck("scaling down ends the highest ordinals and leaves the others alone") { context in
            let before = try await context.applyAndWait(context.spec(replicas: 3))
            let outcome = try await context.driver.apply(context.spec(generation: 2, replicas: 1))
            try expect(outcome == .updated, "updated is expected, got \(outcome)")
            let after = try await context.eventuallyReady(context.spec(generation: 2, replicas: 1))
            try expect(after.incarnations[0] == before.incarnations[0], "instance 0 goes on: \(after)")
        },
        ConformanceCheck("scaling up leaves the instances there are alone") { context in
            let before = try await context.applyAndWait(context.spec(replicas: 1))
            let after = try await context.applyAndWait(context.spec(generation: 2, replicas: 3))
            try expect(after.incarnations[0] == before.incarnations[0], "instance 0 goes on: \(after)")
        },
        ConformanceCheck("a workload without replicas is known and has no instances") { context in
            try await context.applyAndWait(context.spec(replicas: 2))
            _ = try await context.driver.apply(context.spec(generation: 2, replicas: 0))
            try await context.eventually("no instance is left") { $0.instances.isEmpty && $0.desiredReplicas == 0 }
            let running = try await context.harness.countRunning()
            try expect(running == 0, "nothing really runs, not \(running)")
            try await context.applyAndWait(context.spec(generation: 3, replicas: 1))
        },
        ConformanceCheck("an invalid spec is refused without any effect") { context in
            let spec = context.spec(generation: 2)
            let before = try await context.applyAndWait(context.spec())
            for spoilt in [
                context.harness.spoil(spec), Self.with(spec) { $0.replicas = -1 }, Self.with(spec) { $0.path = "mcp" },
            ] {
                try await context.expectError(.invalidSpec, "validate") { try context.driver.validate(spoilt) }
                try await context.expectError(.invalidSpec, "apply") { _ = try await context.driver.apply(spoilt) }
            }
            let after = try await context.status(of: spec.id)
            try expect(after == before, "nothing moves: \(before), then \(after)")
        },
        ConformanceCheck("a cancelled apply that is repeated converges") { context in
            let spec = context.spec(replicas: 2)
            let driver = context.driver
            await withTaskGroup(of: Void.self) { group in
                group.addTask { _ = try? await driver.apply(spec) }
                group.cancelAll()
            }
            let outcome = try await driver.apply(spec)
            try expect(outcome != .updated, "done already or done now, not \(outcome)")
            try await context.eventuallyReady(spec)
            let running = try await context.harness.countRunning()
            try expect(running == 2, "2 instances really run, not \(running)")
        },
        ConformanceCheck("more instances than there is room for are refused, and nothing moves") { context in
            let before = try await context.applyAndWait(context.spec())
            try await context.expectError(.capacityExceeded, "too many replicas") {
                let replicas = context.harness.capacity + 1
                _ = try await context.driver.apply(context.spec(generation: 2, replicas: replicas))
            }
            let after = try await context.status(of: before.id)
            try expect(after == before, "nothing moves: \(before), then \(after)")
        },
    ]

    static func with(_ spec: WorkloadSpec, _ change: (inout WorkloadSpec) -> Void) -> WorkloadSpec {
        var spec = spec
        change(&spec)
        return spec
    }
}
