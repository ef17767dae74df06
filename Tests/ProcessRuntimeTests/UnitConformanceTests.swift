// SPDX-License-Identifier: MIT

import Glibc
import ProcessRuntime
import RuntimeConformance
import Systemd
import Testing

/// Whose manager is tried: set by dev/test in the machine that it makes for these tests.
enum TestedManager {
    static let scope = getenv("MCP_GATEWAY_TEST_SYSTEMD").flatMap { ManagerScope(rawValue: String(cString: $0)) }
    static let reason: Comment = "runs in a machine with a systemd of its own: dev/test systemd"

    static func configuration(keepsInstances: Bool) async throws -> UnitConfiguration {
        let scope = try #require(Self.scope)
        return try #require(await UnitConfiguration.probe(scope, keepsInstances: keepsInstances))
    }
}

@Suite(
    "The process driver keeps the contract with units", .enabled(if: TestedManager.scope != nil, TestedManager.reason))
struct UnitConformanceTests {
    @Test("fact", arguments: ConformanceCheck.checks(for: [.shortenedGrace]))
    func conforms(_ check: ConformanceCheck) async throws {
        let harness = try ProcessHarness(units: try await TestedManager.configuration(keepsInstances: false))
        defer { harness.remove() }
        try await check.run(on: harness)
        #expect(try await harness.countRunning() == 0)
    }
}
