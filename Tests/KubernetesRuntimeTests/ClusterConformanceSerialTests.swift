// SPDX-License-Identifier: MIT

import RuntimeConformance
import Testing

/// Touches the cluster of `dev/cluster`: namespaces, pods and images of its own.
@Suite(
    "The Kubernetes driver, on a real cluster", .serialized, .enabled(if: TestCluster.isHere, "\(TestCluster.reason)"))
struct ClusterConformanceSerialTests {
    @Test("conforms", arguments: ConformanceCheck.checks(for: [.contactLoss]))
    func conforms(_ check: ConformanceCheck) async throws {
        let harness = try await KubernetesHarness()
        let result: Result<Void, any Error>
        do { result = .success(try await check.run(on: harness)) } catch { result = .failure(error) }
        await harness.remove()
        try result.get()
    }
}
