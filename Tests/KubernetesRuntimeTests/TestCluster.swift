// SPDX-License-Identifier: MIT

import FoundationEssentials
import Glibc
import RuntimeConformance
import Spawn

/// The cluster that the tests run on: `KUBECONFIG` and, for pods, `MCP_GATEWAY_CLUSTER_HOME`, both as `dev/cluster` has
/// them.
///
/// Without them the tests that need it are skipped.
enum TestCluster {
    static let kubeconfig: String? = getenv("KUBECONFIG").map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }

    static let home: String = {
        if let home = getenv("MCP_GATEWAY_CLUSTER_HOME") { return String(cString: home) }
        let cache = getenv("XDG_CACHE_HOME").map { String(cString: $0) }
        return (cache ?? (getenv("HOME").map { String(cString: $0) } ?? "") + "/.cache") + "/mcp-gateway/kubernetes"
    }()

    static var socket: String { "\(home)/containerd/containerd.sock" }

    /// Whether pods run on this machine, so that tests can load images and kill processes.
    static var isHere: Bool { kubeconfig?.hasPrefix("\(home)/") == true && access(socket, F_OK) == 0 }

    static let reason = "needs a cluster of dev/cluster: run 'dev/cluster up' and set KUBECONFIG as it says"

    /// What this cluster can do; how a kubelet ends pods has changed with 1.22.
    static let features: Set<ConformanceFeature> = isHere ? [.contactLoss] : [.contactLoss, .shortenedGrace]

    struct Failure: Error {
        let command: String
        let output: String
    }

    /// Runs a program and returns what it prints.
    @discardableResult
    static func run(_ program: String, _ arguments: String..., input: String? = nil) async throws -> String {
        try await run(program, arguments, input: input)
    }

    @discardableResult
    static func run(_ program: String, _ arguments: [String], input: String? = nil) async throws -> String {
        var name = Array("/tmp/mcp-gateway-test-XXXXXX".utf8CString)
        let output = mkstemp(&name)
        let path = String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer {
            close(output)
            unlink(path)
        }
        var arguments = arguments
        if let input {
            try input.write(toFile: path + ".in", atomically: false, encoding: .utf8)
            arguments.append(path + ".in")
        }
        defer { unlink(path + ".in") }
        var environment = ["PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]
        environment["KUBECONFIG"] = kubeconfig
        environment["HOME"] = getenv("HOME").map { String(cString: $0) }
        environment["MCP_GATEWAY_CLUSTER_HOME"] = home
        let child = try ChildProcess.spawn(
            executable: program, arguments: arguments, environment: environment, stdout: output, stderr: output)
        let status = await child.waitForExit()
        let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
        guard status.isSuccess else {
            throw Failure(command: ([program] + arguments).joined(separator: " "), output: text)
        }
        return text
    }

    /// `ctr` on the node's containerd.
    @discardableResult
    static func containers(_ arguments: String...) async throws -> String {
        try await run("ctr", ["--address", socket, "--namespace", "k8s.io"] + arguments)
    }
}
