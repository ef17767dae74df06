// SPDX-License-Identifier: MIT

import RuntimeConformance
import Testing

@Suite("The in-memory driver keeps the contract")
struct MemoryConformanceTests {
    @Test("fact", arguments: ConformanceCheck.all)
    func conforms(_ check: ConformanceCheck) async throws {
        try await check.run(on: MemoryHarness())
    }
}
