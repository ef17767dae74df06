// SPDX-License-Identifier: MIT

extension Setting {
    /// What only the runtime `kubernetes` asks for.
    static let kubernetes: [Setting] = [
        Setting(
            key: "kubernetes.kubeconfig",
            standard: "$KUBECONFIG, else the service account of the pod, else ~/.kube/config", rule: "a path",
            purpose: "The file that says where the cluster is, and how to sign in."),
        Setting(
            key: "kubernetes.context", standard: "the file's current one", rule: "a name",
            purpose: "The context of the kubeconfig to use."),
        Setting(
            key: "kubernetes.namespace", standard: "that of the context or the pod, else adapter",
            rule: "a name of 1 to 63 lower-case letters, digits and hyphens",
            purpose: "The namespace that servers run in; it must be there."),
        Setting(
            key: "kubernetes.authority", standard: "gateway", rule: "one of gateway, cluster",
            purpose: """
                Where adapters are written: in the gateway's own database, or as custom resources of the cluster, which any \
                number of gateways share.
                """),
        Setting(
            key: "kubernetes.registry", standard: "none: names stay as they are",
            rule: "a registry's host, perhaps with a port and a path",
            purpose: "What is put before imageName, as in registry.example.com/team."),
        Setting(
            key: "kubernetes.pullSecrets", standard: "none", rule: "names, separated by commas",
            purpose: "Secrets of the namespace to pull images with."),
        Setting(
            key: "kubernetes.bridgeImage", standard: "none: servers have to speak HTTP", rule: "an image with its tag",
            purpose: "The image of this gateway, to run servers on standard input and output with."),
        Setting(
            key: "kubernetes.workloadServiceAccount", standard: "workload-sa", rule: "a name",
            purpose: "The service account of servers with useWorkloadIdentity."),
        Setting(
            key: "kubernetes.readOnlyImage", standard: "true", rule: "true or false",
            purpose: "Whether servers can write to no place but /tmp."),
        Setting(
            key: "kubernetes.requests.cpuMillicores", standard: "250", rule: "a number, 1...1000000",
            purpose: "Thousandths of a processor that each instance is promised."),
        Setting(
            key: "kubernetes.requests.memory", standard: "256MiB", rule: "a size, 1MiB...1024GiB",
            purpose: "Memory that each instance is promised."),
        Setting(
            key: "kubernetes.limits.cpuMillicores", standard: "1000", rule: "a number, 1...1000000",
            purpose: "Thousandths of a processor that an instance may use, where its adapter does not say."),
        Setting(
            key: "kubernetes.limits.memory", standard: "512MiB", rule: "a size, 1MiB...1024GiB",
            purpose: "Memory that an instance may use, where its adapter does not say."),
        Setting(
            key: "kubernetes.limits.ephemeralStorage", standard: "2GiB", rule: "a size, 1MiB...1024GiB",
            purpose: "What an instance may write to files."),
    ]
}
