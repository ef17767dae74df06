// SPDX-License-Identifier: MIT

extension ClusterAccess {
    /// Finds out where the API server is: the kubeconfig that is named, `$KUBECONFIG`, the service account of the pod that
    /// we run in, or `~/.kube/config`, in this order.
    static func load(
        kubeconfig: String?, context: String?, environment: [String: String]
    ) throws(KubernetesError) -> ClusterAccess {
        if let path = kubeconfig ?? environment["KUBECONFIG"]?.split(separator: ":").first.map(String.init) {
            return try .kubeconfig(path, context: context, environment: environment)
        }
        if let access = try inCluster(environment: environment) { return access }
        guard let home = environment["HOME"] else {
            throw KubernetesError(.credentials, "no kubeconfig is given, and this is no pod")
        }
        return try .kubeconfig("\(home)/.kube/config", context: context, environment: environment)
    }
}
