// SPDX-License-Identifier: MIT

import Synchronization

/// Which version of the policy group the cluster has: `v1` since 1.21, only `v1beta1` before.
final class PolicyVersion: Sendable {
    private let known = Mutex<String?>(nil)

    func find(_ client: KubernetesClient) async throws(KubernetesError) -> String {
        if let version = known.withLock({ $0 }) { return version }
        let version = try await client.find("/apis/policy/v1") == nil ? "policy/v1beta1" : "policy/v1"
        known.withLock { $0 = version }
        return version
    }
}
