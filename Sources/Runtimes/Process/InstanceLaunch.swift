// SPDX-License-Identifier: MIT

internal import Glibc
internal import RuntimeContract
internal import Spawn

/// How one instance is started: where it is to answer, and what is run for that.
struct InstanceLaunch {
    /// What is run.
    let command: Command
    /// All of its environment.
    let environment: [String: String]
    /// Where it is to answer.
    let endpoint: Endpoint

    /// Prepares a start of `instance`; each start has a port or a socket of its own.
    ///
    /// - Throws: `invalidSpec` for an image that the catalogue does not have; `failed` when there is no free port.
    init(
        _ spec: WorkloadSpec, instance: InstanceID, configuration: ProcessRuntimeConfiguration, sockets: String
    ) throws(RuntimeError) {
        var environment = configuration.baseEnvironment
        var command: Command
        switch spec.source {
        case .command(let own): command = own
        case .image(let name, let version):
            guard let image = configuration.catalogue.image(name, version) else {
                throw RuntimeError(.invalidSpec, configuration.catalogue.absence(of: name, version), workload: spec.id)
            }
            command = image.command
            environment.merge(image.environment) { $1 }
        }
        environment.merge(spec.environment) { $1 }
        environment.merge(spec.secretEnvironment.mapValues(\.exposed)) { $1 }
        switch spec.transport {
        case .stdio:
            let path = "\(sockets)/\(instance).sock"
            unlink(path)
            endpoint = .unix(path: path)
            command = Command(
                executable: configuration.bridgeExecutable,
                arguments: ["bridge", "--socket", path, "--", command.executable] + command.arguments,
                workingDirectory: command.workingDirectory)
        case .streamableHTTP, .sse:
            let port = if let port = spec.port, spec.replicas <= 1 { port } else { try LoopbackPort.free() }
            endpoint = .tcp(host: "127.0.0.1", port: port)
            environment["PORT"] = "\(port)"
            environment["HOST"] = "127.0.0.1"
            command.arguments = command.arguments.map { argument in
                Self.replace("{host}", by: "127.0.0.1", in: Self.replace("{port}", by: "\(port)", in: argument))
            }
        }
        self.command = command
        self.environment = environment
    }

    private static func replace(_ word: String, by text: String, in argument: String) -> String {
        var result = argument
        while let range = result.firstRange(of: word) { result.replaceSubrange(range, with: text) }
        return result
    }

    /// Starts it; what it writes goes to `log`.
    func start(limits: ResourceLimits, log: InstanceLog) throws(SpawnError) -> ChildProcess {
        let output = try DescriptorPair.pipe()
        log.begin()
        do {
            let child = try ChildProcess.spawn(
                executable: command.executable, arguments: command.arguments, environment: environment,
                workingDirectory: command.workingDirectory, stdout: output.writeEnd, stderr: output.writeEnd,
                limits: SpawnLimits(openFiles: limits.openFiles))
            close(output.writeEnd)
            LogPump.shared.add(output.readEnd, log: log)
            return child
        } catch {
            output.close()
            throw error
        }
    }
}
