// SPDX-License-Identifier: MIT

/// Where the API server keeps things of one namespace.
struct ResourcePaths: Sendable {
    let namespace: String

    var pods: String { "/api/v1/namespaces/\(namespace)/pods" }
    var services: String { "/api/v1/namespaces/\(namespace)/services" }
    var secrets: String { "/api/v1/namespaces/\(namespace)/secrets" }
    var statefulSets: String { "/apis/apps/v1/namespaces/\(namespace)/statefulsets" }

    var controllerRevisions: String { "/apis/apps/v1/namespaces/\(namespace)/controllerrevisions" }
    var leases: String { "/apis/coordination.k8s.io/v1/namespaces/\(namespace)/leases" }

    /// - Parameter version: `policy/v1` or `policy/v1beta1`.
    func disruptionBudgets(_ version: String) -> String {
        "/apis/\(version)/namespaces/\(namespace)/poddisruptionbudgets"
    }
}
