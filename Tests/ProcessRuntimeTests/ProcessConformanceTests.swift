// SPDX-License-Identifier: MIT

import RuntimeConformance
import Testing

@Suite("The process driver keeps the contract")
struct ProcessConformanceTests {
    @Test("fact", arguments: ConformanceCheck.checks(for: [.shortenedGrace]))
    func conforms(_ check: ConformanceCheck) async throws {
        let harness = try ProcessHarness()
        defer { harness.remove() }
        try await check.run(on: harness)
        #expect(try await harness.countRunning() == 0)
    }
}
