// SPDX-License-Identifier: MIT

import RuntimeContract

/// What exactly is started for one life, and where it will answer.
struct LaunchPlan: Hashable, Sendable {
    var executable: String
    var arguments: [String]
    /// Holds secrets: it is handed to the child and never shown.
    var environment: [String: Secret]
    var workingDirectory: String?
    var endpoint: Endpoint
    /// The method and path that readiness is asked with; neither makes a session.
    var probeMethod: String
    var probePath: String

    /// The host that servers are told to listen on.
    static let host = "127.0.0.1"

    /// The port that a workload's only instance has to listen on.
    ///
    /// Two instances can't listen on one port, so a port that is asked for is for a single one. The bridge has none.
    static func fixedPort(_ spec: WorkloadSpec) -> UInt16? {
        spec.replicas == 1 && spec.transport != .stdio ? spec.port : nil
    }

    /// How a workload is run: the catalogue's word, or its own.
    struct Resolved: Hashable, Sendable {
        var command: Command
        var environment: [String: String]
        var transport: Transport
        var path: String
    }

    /// Looks up what a spec stands for.
    ///
    /// - Throws: `invalidSpec` for an image that the catalogue does not have.
    static func resolve(_ spec: WorkloadSpec, _ catalogue: Catalogue) throws(RuntimeError) -> Resolved {
        switch spec.source {
        case .command(let command):
            return Resolved(command: command, environment: [:], transport: spec.transport, path: spec.path)
        case .image(let name, let version, let command):
            guard command == nil else {
                throw RuntimeError(
                    .unsupported, "command: here the catalogue says what an image stands for; leave out one of both",
                    workload: spec.id)
            }
            let image = try catalogue.requireImage(name: name, version: version, for: spec.id)
            return Resolved(
                command: image.command, environment: image.environment, transport: image.transport ?? spec.transport,
                path: image.path ?? spec.path)
        case .remote:
            throw RuntimeError(.unsupported, "url: the process driver runs no servers of others", workload: spec.id)
        }
    }

    /// An HTTP server that is told its port by `PORT`, and by `{port}` and `{host}` in its arguments.
    init(server resolved: Resolved, spec: WorkloadSpec, base: [String: String], port: UInt16) {
        let own = ["PORT": String(port), "HOST": Self.host]
        executable = resolved.command.executable
        arguments = resolved.command.arguments.map { argument in
            Self.replace("{port}", by: String(port), in: Self.replace("{host}", by: Self.host, in: argument))
        }
        environment = Self.environment([base, resolved.environment, own, spec.environment], spec.secretEnvironment)
        // The port is the driver's choice: whatever the workload's variables say, the probe asks there.
        environment["PORT"] = Secret(String(port))
        workingDirectory = resolved.command.workingDirectory
        endpoint = .tcp(host: Self.host, port: port)
        probeMethod = "OPTIONS"
        probePath = resolved.path
    }

    /// A stdio server behind the bridge, which listens on `socket`.
    init(bridged resolved: Resolved, spec: WorkloadSpec, base: [String: String], bridge: String, socket: String) {
        executable = bridge
        arguments = ["bridge", "--socket", socket, "--", resolved.command.executable] + resolved.command.arguments
        environment = Self.environment([base, resolved.environment, spec.environment], spec.secretEnvironment)
        workingDirectory = resolved.command.workingDirectory
        endpoint = .unix(path: socket)
        probeMethod = "GET"
        probePath = "/healthz"
    }

    /// Later layers win.
    private static func environment(_ layers: [[String: String]], _ secrets: [String: Secret]) -> [String: Secret] {
        var environment: [String: Secret] = [:]
        for layer in layers { environment.merge(layer.mapValues(Secret.init)) { _, newer in newer } }
        return environment.merging(secrets) { _, newer in newer }
    }

    private static func replace(_ mark: String, by text: String, in argument: String) -> String {
        var result = ""
        var rest = argument[...]
        while let range = rest.firstRange(of: mark) {
            result += rest[..<range.lowerBound] + text
            rest = rest[range.upperBound...]
        }
        return result + rest
    }
}
