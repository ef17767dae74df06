// SPDX-License-Identifier: MIT

import FoundationEssentials
import Glibc
import KubernetesRuntime
import Logging
import RuntimeConformance
import RuntimeContract

/// The Kubernetes driver on a real API server, real controllers and real pods, in a namespace of its own.
struct KubernetesHarness: ConformanceHarness {
    let driver: any RuntimeDriver
    let capacity = 10
    let namespace: String
    private let contact: CuttableProxy

    init() async throws {
        try await TestImages.shared.load()
        let namespace = "conformance-\(UInt32.random(in: 0...UInt32.max))"
        try await TestCluster.run("kubectl", "create", "namespace", namespace)
        let original = try String(contentsOfFile: TestCluster.kubeconfig ?? "", encoding: .utf8)
        let port = original.split(separator: "https://127.0.0.1:").last.flatMap { Int($0.prefix { $0.isNumber }) } ?? 0
        contact = try await CuttableProxy(to: port)
        let path = "/tmp/\(namespace).kubeconfig"
        try original.replacing("127.0.0.1:\(port)", with: "127.0.0.1:\(contact.port)")
            .write(toFile: path, atomically: true, encoding: .utf8)
        defer { unlink(path) }
        self.namespace = namespace
        driver = try KubernetesRuntime(
            configuration: KubernetesRuntimeConfiguration(
                kubeconfig: path, namespace: namespace, capacity: capacity,
                resources: PodResources(requestMillicores: 10, requestMemoryBytes: 16 << 20)),
            environment: [:], logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    func remove() async {
        await contact.close()
        // What goes on when asked to end would be waited for.
        for container in (try? await containers()) ?? [] {
            _ = try? await TestCluster.containers("tasks", "kill", "--signal", "9", container)
        }
        _ = try? await TestCluster.run(
            "kubectl", "--namespace", namespace, "delete", "statefulsets,services,secrets,poddisruptionbudgets",
            "--all",
            "--wait=false")
        _ = try? await TestCluster.run(
            "kubectl", "--namespace", namespace, "delete", "pods", "--all", "--grace-period=1")
        _ = try? await TestCluster.run("kubectl", "delete", "namespace", namespace, "--wait=false")
    }

    func source(_ program: ConformanceProgram) -> WorkloadSource {
        let (name, version) = TestImages.image(program)
        return .image(name: name, version: version)
    }

    func spoil(_ spec: WorkloadSpec) -> WorkloadSpec {
        var spec = spec
        spec.source = .image(name: "server", version: "no such version")
        return spec
    }

    func kill(_ instance: InstanceID) async throws {
        // The newest of those that have this ordinal: one may be draining.
        let found = try await TestCluster.run(
            "kubectl", "--namespace", namespace, "get", "pods", "--selector=adapter/name=\(instance.workload)",
            "--sort-by=.metadata.creationTimestamp",
            "--output=jsonpath={range .items[*]}{.metadata.name} {.status.containerStatuses[0].containerID}{\"\\n\"}{end}"
        )
        let line = found.split(separator: "\n").last {
            $0.split(separator: " ").first?.hasSuffix("-\(instance.ordinal)") == true
        }
        guard let container = line?.split(separator: "/").last else { return }
        try await TestCluster.containers("tasks", "kill", "--signal", "9", String(container))
    }

    private func containers() async throws -> [String] {
        try await TestCluster.containers(
            "containers", "list", "--quiet", "labels.\"io.kubernetes.pod.namespace\"==\(namespace)"
        ).split(separator: "\n").map(String.init)
    }

    /// What containerd runs, whatever the API server says.
    func countRunning() async throws -> Int {
        let inNamespace = try await containers()
        let tasks = try await TestCluster.containers("tasks", "list")
        var running: Set<Substring> = []
        for line in tasks.split(separator: "\n") {
            let columns = line.split(separator: " ")
            if columns.count >= 3, columns[2] == "RUNNING" { running.insert(columns[0]) }
        }
        var count = 0
        for id in inNamespace where running.contains(Substring(id)) {
            let info = try await TestCluster.containers("containers", "info", id)
            if info.contains("\"io.kubernetes.container.name\": \"server\"") { count += 1 }
        }
        return count
    }

    func cutConnection() async throws { await contact.cut() }
    func restoreConnection() async throws { await contact.restore() }
}
