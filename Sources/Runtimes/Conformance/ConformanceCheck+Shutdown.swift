// SPDX-License-Identifier: MIT

import RuntimeContract

extension ConformanceCheck {
    static let shutdownChecks: [ConformanceCheck] = [
        ConformanceCheck("a shutdown ends the states, and instances go on or end as the capability says") { context in
            try await context.applyAndWait(context.spec(replicas: 3))
            let driver = context.driver
            async let last: RuntimeSnapshot? = context.withDeadline("the states end") {
                var last: RuntimeSnapshot?
                for await snapshot in driver.observe() { last = snapshot }
                return last
            }
            await context.shutDown()
            _ = try await last
            let running = try await context.harness.countRunning()
            let expected = driver.capabilities.survivesGatewayRestart ? 3 : 0
            try expect(running == expected, "\(expected) instances really run, not \(running)")
        },
        ConformanceCheck("a shutdown ends instances that start or go on when asked to end") { context in
            guard !context.driver.capabilities.survivesGatewayRestart else { return }
            var stubborn = context.spec(.stubbornServer)
            stubborn.gracePeriod = .milliseconds(200)
            try await context.applyAndWait(stubborn)
            let other = try require(WorkloadID("conformance-2"), "a name")
            _ = try await context.driver.apply(context.spec(replicas: 2, id: other))
            await context.shutDown()
            let driver = context.driver
            try await context.withDeadline("the states end") { for await _ in driver.observe() {} }
            let running = try await context.harness.countRunning()
            try expect(running == 0, "nothing really runs, not \(running)")
        },
        ConformanceCheck("after a shutdown nothing more is taken up") { context in
            await context.shutDown()
            let driver = context.driver
            try await context.withDeadline("the states end") { for await _ in driver.observe() {} }
            try await context.expectError(.unavailable, "apply") { _ = try await driver.apply(context.spec()) }
            let running = try await context.harness.countRunning()
            try expect(running == 0, "nothing really runs, not \(running)")
        },
        ConformanceCheck("secrets appear in no status, state or error") { context in
            let secret = "b1rd-0f-paradise"
            var spec = context.spec(.failing)
            spec.secretEnvironment = ["TOKEN": Secret(secret)]
            _ = try await context.driver.apply(spec)
            let status = try await context.eventually("it fails") { $0.instances.first?.phase == .backingOff }
            var texts = [String(describing: status), String(reflecting: status), String(reflecting: spec)]
            for await snapshot in context.driver.observe() {
                texts.append(String(reflecting: snapshot))
                break
            }
            var invalid = spec
            invalid.secretEnvironment = ["1TOKEN": Secret(secret), "TOKEN": Secret(secret)]
            invalid.environment = ["TOKEN": secret]
            do { try context.driver.validate(invalid) } catch { texts.append(String(reflecting: error)) }
            try expect(texts.count == 5, "validate refuses it")
            for text in texts { try expect(!text.contains(secret), "the secret shows: \(text)") }
        },
    ]
}
