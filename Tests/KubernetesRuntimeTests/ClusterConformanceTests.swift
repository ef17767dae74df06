// SPDX-License-Identifier: MIT

import RuntimeConformance
import Testing

/// Touches the cluster of `dev/cluster`: namespaces, pods and images of its own.
@Suite("The Kubernetes driver, on a real cluster", .enabled(if: TestCluster.isHere, "\(TestCluster.reason)"))
struct ClusterConformanceTests {
    /// As many as one small node can start pods for without any of them waiting long.
    private static let gate = TestGate(3)

    @Test("conforms", arguments: ConformanceCheck.checks(for: TestCluster.features))
    func conforms(_ check: ConformanceCheck) async throws {
        try await Self.gate.pass {
            let harness = try await KubernetesHarness()
            let result: Result<Void, any Error>
            do { result = .success(try await check.run(on: harness)) } catch { result = .failure(error) }
            await harness.remove()
            try result.get()
        }
    }
}
