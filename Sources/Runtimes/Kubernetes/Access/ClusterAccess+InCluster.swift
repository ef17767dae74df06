// SPDX-License-Identifier: MIT

internal import Curl

extension ClusterAccess {
    private static let folder = "/var/run/secrets/kubernetes.io/serviceaccount"

    /// The service account of the pod that we run in; `nil` outside of a cluster.
    static func inCluster(
        environment: [String: String], folder: String = folder
    ) throws(KubernetesError) -> ClusterAccess? {
        guard let host = environment["KUBERNETES_SERVICE_HOST"], let port = environment["KUBERNETES_SERVICE_PORT"],
            !host.isEmpty, !port.isEmpty
        else { return nil }
        let authorities = try AccessFile.read("\(folder)/ca.crt")
        let namespace = try AccessFile.read("\(folder)/namespace")
        return ClusterAccess(
            server: "https://\(host.contains(":") ? "[\(host)]" : host):\(port)",
            trust: CurlTrust(authorities: authorities), credentials: .tokenFile("\(folder)/token"),
            namespace: String(decoding: namespace, as: UTF8.self).trimmed)
    }
}

extension String {
    /// Without white space at both ends.
    var trimmed: String {
        let rest = drop { $0.isWhitespace }
        return String(rest.reversed().drop { $0.isWhitespace }.reversed())
    }
}
