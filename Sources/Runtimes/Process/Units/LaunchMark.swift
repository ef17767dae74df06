// SPDX-License-Identifier: MIT

import Crypto
import RuntimeContract

/// What a unit says of itself, so that the next gateway knows what it is and where it answers: a variable in its
/// environment.
struct LaunchMark: Hashable, Sendable {
    static let variable = "MCP_GATEWAY_LAUNCH"

    /// Stands for all of the spec that makes a difference to what runs.
    var fingerprint: String
    /// What its lines in the journal are named by (`SyslogIdentifier`): the instance, and a part that makes it this life's.
    ///
    /// The journal looks up unit and run of a line's writer when it reads the line, and finds neither, or the next run, when
    /// the writer has ended by then, as servers do that can't start. The name came with the connection.
    var logName: String
    /// Where it answers.
    var endpoint: Endpoint

    /// The mark that a unit carries, if it does.
    init?(environment: [String]) {
        guard let line = environment.first(where: { $0.hasPrefix("\(Self.variable)=") }) else { return nil }
        let parts = line.dropFirst(Self.variable.count + 1).split(separator: " ", maxSplits: 2)
        guard parts.count == 3 else { return nil }
        fingerprint = String(parts[0])
        logName = String(parts[1])
        if parts[2].hasPrefix("unix:") {
            endpoint = .unix(path: String(parts[2].dropFirst(5)))
        } else {
            guard let colon = parts[2].lastIndex(of: ":"), let port = UInt16(parts[2][parts[2].index(after: colon)...])
            else { return nil }
            endpoint = .tcp(host: String(parts[2][..<colon]), port: port)
        }
    }

    /// Marks a launch of an instance.
    init(_ instance: InstanceID, fingerprint: String, endpoint: Endpoint) {
        self.fingerprint = fingerprint
        logName = "\(instance).\(String(UInt32.random(in: 0 ... .max), radix: 36))"
        self.endpoint = endpoint
    }

    /// Whether the server is behind a bridge.
    var isBridged: Bool { if case .unix = endpoint { true } else { false } }

    /// The assignment that is put into the unit's environment.
    var assignment: String { "\(Self.variable)=\(fingerprint) \(logName) \(endpoint)" }

    /// What stands for a spec: all that ``WorkloadSpec/runsLike(_:)`` compares, and what the catalogue makes of it.
    ///
    /// Keyed with the owner's secret name, since everyone on the machine can read it and secrets are part of it.
    static func fingerprint(_ spec: WorkloadSpec, _ resolved: LaunchPlan.Resolved, key: String) -> String {
        var code = HMAC<SHA256>(key: SymmetricKey(data: Array(key.utf8)))
        func add(_ text: String) {
            // The length in front keeps neighbours apart.
            code.update(data: Array("\(text.utf8.count):\(text)".utf8))
        }
        add(resolved.command.executable)
        add("\(resolved.command.arguments.count)")
        for argument in resolved.command.arguments { add(argument) }
        add(resolved.command.workingDirectory ?? "")
        for layer in [resolved.environment, spec.environment, spec.secretEnvironment.mapValues(\.exposed)] {
            add("\(layer.count)")
            for (name, value) in layer.sorted(by: { $0.key < $1.key }) {
                add(name)
                add(value)
            }
        }
        add("\(spec.source)")
        add(resolved.transport.rawValue)
        add(resolved.path)
        add("\(spec.port.map(String.init) ?? "-") \(spec.restartToken) \(spec.usesWorkloadIdentity)")
        add("\(spec.readiness)")
        add("\(spec.limits)")
        return code.finalize().prefix(16).map { byte in
            String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
        }.joined()
    }
}
