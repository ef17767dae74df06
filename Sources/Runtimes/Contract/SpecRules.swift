// SPDX-License-Identifier: MIT

/// The rules of a spec that are the same for every driver.
///
/// A driver's `validate` calls this first and then adds its own.
public enum SpecRules {
    /// Checks what can be said of `spec` without knowing the platform.
    ///
    /// - Throws: `invalidSpec` or `unsupported`, naming the part at fault and never a value of the environment.
    public static func check(_ spec: WorkloadSpec, capabilities: RuntimeCapabilities) throws(RuntimeError) {
        func refuse(_ code: RuntimeError.Code = .invalidSpec, _ message: String) throws(RuntimeError) -> Never {
            throw RuntimeError(code, message, workload: spec.id)
        }
        if spec.generation < 1 { try refuse(.invalidSpec, "generation: 1 is the first one") }
        if spec.replicas < 0 { try refuse(.invalidSpec, "replicas: must not be negative") }
        if spec.replicas > capabilities.maximumReplicas {
            try refuse(.invalidSpec, "replicas: \(spec.replicas) is more than \(capabilities.maximumReplicas)")
        }
        if spec.path.utf8.first != UInt8(ascii: "/") { try refuse(.invalidSpec, "path: must start with '/'") }
        if spec.path.utf8.contains(where: { $0 <= 0x20 || $0 >= 0x7F }) {
            try refuse(.invalidSpec, "path: visible ASCII only; encode the rest")
        }
        if spec.port == 0 { try refuse(.invalidSpec, "port: 1...65535") }
        if spec.gracePeriod < .zero { try refuse(.invalidSpec, "gracePeriod: must not be negative") }
        if spec.drainTime < .zero { try refuse(.invalidSpec, "drainTime: must not be negative") }
        if spec.readiness.failureThreshold < 1 { try refuse(.invalidSpec, "readiness: a threshold is 1 or more") }
        let durations = [spec.readiness.startupTimeout, spec.readiness.period, spec.readiness.timeout]
        if durations.contains(where: { $0 <= .zero }) { try refuse(.invalidSpec, "readiness: times are positive") }
        for name in spec.environment.keys.sorted() + spec.secretEnvironment.keys.sorted() where !isVariable(name) {
            try refuse(.invalidSpec, "environment: '\(name)' is not a variable's name ([A-Za-z_][A-Za-z0-9_]*)")
        }
        if let name = spec.environment.keys.sorted().first(where: { spec.secretEnvironment[$0] != nil }) {
            try refuse(.invalidSpec, "environment: '\(name)' is both open and secret")
        }
        let values = Array(spec.environment) + spec.secretEnvironment.map { ($0.key, $0.value.exposed) }
        if let name = values.first(where: { $0.1.utf8.contains(0) })?.0 {
            try refuse(.invalidSpec, "environment: the value of '\(name)' holds a NUL byte")
        }
        if spec.usesWorkloadIdentity, !capabilities.supportsWorkloadIdentity {
            try refuse(.unsupported, "workload identity: the \(capabilities.name) driver has none")
        }
        switch spec.source {
        case .image(let name, let version, let command):
            guard capabilities.sources.contains(.image) else {
                try refuse(.unsupported, "image: the \(capabilities.name) driver runs no images")
            }
            if name.isEmpty { try refuse(.invalidSpec, "image: a name is missing") }
            if version.isEmpty { try refuse(.invalidSpec, "image: a version is missing") }
            if let command { try check(command, refuse) }
        case .command(let command):
            guard capabilities.sources.contains(.command) else {
                try refuse(.unsupported, "command: the \(capabilities.name) driver runs no commands")
            }
            try check(command, refuse)
        case .remote(let endpoints):
            guard capabilities.sources.contains(.remote) else {
                try refuse(.unsupported, "url: the \(capabilities.name) driver watches no servers of others")
            }
            if endpoints.count < spec.replicas { try refuse(.invalidSpec, "url: one for each instance") }
            if endpoints.contains(where: { $0.host.isEmpty || $0.port == 0 }) {
                try refuse(.invalidSpec, "url: a host or a port is missing")
            }
        }
    }

    private static func check(
        _ command: Command, _ refuse: (RuntimeError.Code, String) throws(RuntimeError) -> Never
    ) throws(RuntimeError) {
        if command.executable.isEmpty { try refuse(.invalidSpec, "command: a program is missing") }
        let directory = command.workingDirectory
        for text in [command.executable, directory ?? ""] + command.arguments where text.utf8.contains(0) {
            try refuse(.invalidSpec, "command: a NUL byte in the program, its directory or an argument")
        }
        if let directory, directory.utf8.first != UInt8(ascii: "/") {
            try refuse(.invalidSpec, "workingDirectory: must be absolute")
        }
    }

    private static func isVariable(_ name: String) -> Bool {
        guard let first = name.utf8.first, !isDigit(first) else { return false }
        return name.utf8.allSatisfy { byte in
            isDigit(byte) || byte == UInt8(ascii: "_") || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
        }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
}
