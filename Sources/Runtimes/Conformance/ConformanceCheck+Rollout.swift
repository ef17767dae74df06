// SPDX-License-Identifier: MIT

import RuntimeContract

extension ConformanceCheck {
    static let rolloutChecks: [ConformanceCheck] = [
        ConformanceCheck(
            "a new image replaces every instance beside the old ones, or one at a time, the highest ordinal first"
        ) { context in
            let before = try await context.applyAndWait(context.spec(replicas: 3))
            let newer = context.spec(.newerServer, generation: 2, replicas: 3)
            let driver = context.driver
            // Begins to watch before the change, so that no state in between is missed by being late.
            let watching = Task { () -> [RuntimeSnapshot] in
                var seen: [RuntimeSnapshot] = []
                for await snapshot in driver.observe() {
                    seen.append(snapshot)
                    guard let status = snapshot.workloads[newer.id], status.observedGeneration == 2 else { continue }
                    if status.instances.allSatisfy({ $0.phase == .ready && $0.generation == 2 }) { break }
                }
                return seen
            }
            // Cancelled here, whichever way the check ends.
            defer { watching.cancel() }
            let outcome = try await driver.apply(newer)
            try expect(outcome == .updated, "updated is expected, got \(outcome)")
            let after = try await context.eventuallyReady(newer)
            for ordinal in 0..<3 {
                let isNew = after.incarnations[ordinal] != before.incarnations[ordinal]
                try expect(isNew, "instance \(ordinal) was replaced: \(after)")
            }
            let states = try await context.value(of: watching, "the roll-out is seen")
            for status in states.compactMap({ $0.workloads[newer.id] }) where status.observedGeneration == 2 {
                if driver.capabilities.rollsOutBeside {
                    try expect(status.readyReplicas == 3, "none is ever missing: \(status)")
                    let generations = Set(status.instances.filter { $0.phase == .ready }.map(\.generation))
                    try expect(generations.count == 1, "all go over at one moment: \(status)")
                    continue
                }
                try expect(status.readyReplicas >= 2, "only one is missing at a time: \(status)")
                let generations = status.instances.map(\.generation)
                try expect(generations == generations.sorted(), "the highest ordinal is first: \(status)")
            }
        },
        ConformanceCheck("a restart token replaces the instances") { context in
            let spec = context.spec(replicas: 2)
            let before = try await context.applyAndWait(spec)
            let after = try await context.applyAndWait(
                Self.with(context.spec(generation: 2, replicas: 2)) { $0.restartToken = 1 })
            try expect(
                Set(after.incarnations.values).isDisjoint(with: before.incarnations.values), "all are new: \(after)")
        },
        ConformanceCheck("a generation that fails is withdrawn, says so, and nothing of the old one was touched") {
            context in
            guard context.driver.capabilities.rollsOutBeside else { return }
            let before = try await context.applyAndWait(context.spec(replicas: 2))
            let driver = context.driver
            let watching = Task { () -> [RuntimeSnapshot] in
                var seen: [RuntimeSnapshot] = []
                for await snapshot in driver.observe() {
                    seen.append(snapshot)
                    let status = snapshot.workloads[before.id]
                    if status?.failure?.code == .rolledBack, status?.instances.count == 2 { break }
                }
                return seen
            }
            // Cancelled here, whichever way the check ends.
            defer { watching.cancel() }
            _ = try await driver.apply(context.spec(.failing, generation: 2, replicas: 2))
            let states = try await context.value(of: watching, "it is withdrawn")
            for status in states.compactMap({ $0.workloads[before.id] }) {
                let ready = status.instances.filter { $0.phase == .ready }
                try expect(
                    ready.map(\.incarnation) == before.instances.map(\.incarnation), "the old ones serve: \(status)")
            }
            let after = try await context.status(of: before.id)
            let words = after.failure?.message ?? ""
            try expect(
                words.contains("generation 2") && words.contains("generation 1") && words.contains("exit code 3"),
                "it says what failed, how, and what goes on: \(words)")
            try expect(after.observedGeneration == 2 && after.updatedReplicas == 0, "the counts agree: \(after)")
            let again = try await driver.apply(context.spec(.failing, generation: 2, replicas: 2))
            try expect(again == .unchanged, "the same words once more are no new attempt: \(again)")
            let running = try await context.harness.countRunning()
            try expect(running == 2, "2 instances really run, not \(running)")
            let better = try await context.applyAndWait(context.spec(.newerServer, generation: 3, replicas: 2))
            try expect(better.failure == nil, "a better one clears it: \(better)")
        },
        ConformanceCheck("a roll-out that fails stops at its first instance, and a newer spec ends it") { context in
            guard !context.driver.capabilities.rollsOutBeside else { return }
            let before = try await context.applyAndWait(context.spec(replicas: 2))
            _ = try await context.driver.apply(context.spec(.failing, generation: 2, replicas: 2))
            let stuck = try await context.eventually("instance 1 fails") { status in
                status.instances.contains { $0.id.ordinal == 1 && $0.phase == .backingOff }
            }
            try expect(
                stuck.instances.first?.phase == .ready && stuck.incarnations[0] == before.incarnations[0],
                "instance 0 goes on: \(stuck)")
            let after = try await context.applyAndWait(context.spec(generation: 3, replicas: 2))
            try expect(after.incarnations[0] == before.incarnations[0], "instance 0 still goes on: \(after)")
        },
        ConformanceCheck("a workload that can't run backs off, says why, and recovers with a better spec") { context in
            _ = try await context.driver.apply(context.spec(.failing))
            let status = try await context.eventually("it was tried again") { status in
                status.instances.first.map { $0.restarts >= 1 && $0.phase == .backingOff } ?? false
            }
            let reason = try require(status.instances.first?.reason, "a reason is given: \(status)")
            try expect(reason.message.contains("exit code 3"), "the reason tells how it ended: \(reason)")
            try await context.applyAndWait(context.spec(generation: 2))
        },
    ]
}
