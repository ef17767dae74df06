// SPDX-License-Identifier: MIT

public import ControlPlane
public import Logging
public import TLS
internal import YAML

/// All that can be set, checked and ready to use.
public struct GatewayConfiguration: Sendable {
    /// The address to listen on.
    public var host: String
    /// The port to listen on; 0 takes any free one.
    public var port: UInt16
    /// The PEM files of the certificate and its key, absolute; `nil` for plain HTTP.
    public var tls: CertificateFiles?
    /// A PEM file with authorities to trust beside the system's; absolute.
    public var authoritiesFile: String?
    /// Where everything that lasts is kept; absolute.
    public var dataDirectory: String
    /// The file that maps images to local commands; absolute.
    public var catalogueFile: String?
    /// The file with the session keys; absolute.
    public var sessionKeyFile: String
    /// Where servers run.
    public var runtime: RuntimeChoice
    /// What is known of the cluster; without effect where servers run as processes.
    public var kubernetes: KubernetesSettings
    /// How servers are started.
    public var launcher: LauncherChoice
    /// Whether units go on when the gateway is stopped; `nil` if it is a unit itself.
    public var keepsServers: Bool?
    /// The least severe messages that are logged.
    public var logLevel: Logger.Level
    /// How many event loops carry traffic.
    public var threads: Int
    /// Whether anybody may use the API from other machines where nobody has to sign in.
    public var allowAnonymous: Bool
    /// How callers sign in; `nil` if nobody has to.
    public var signIn: SignInSettings?
    /// Names besides loopback ones that the Host header may carry on a loopback listener; lower case.
    public var allowedHosts: Set<String>
    /// Origins besides loopback ones that requests may come from; lower case.
    public var allowedOrigins: Set<String>
    /// What is too much.
    public var limits: Limits
    /// What all servers may use together.
    public var budget: Budget
    /// After how long without any request the servers of adapters are stopped that don't say themselves; `nil` for never.
    public var parkAfter: Duration?
    /// What is too long.
    public var timeouts: Timeouts

    /// What is too much.
    public struct Limits: Hashable, Sendable {
        /// The largest head of a request.
        public var headBytes = 32 << 10
        /// The largest body of a request to a server.
        public var bodyBytes = 64 << 20
        /// Client connections held at once.
        public var connections = 20_000
        /// Requests under way on one connection of HTTP/2.
        public var streams = 128
        /// Event streams of one principal that stand open at once.
        public var streamsPerPrincipal = 20_000
        /// Instances of one adapter.
        public var replicas = 32
        /// Instances of all adapters.
        public var instances = 256
    }

    /// What is too long.
    public struct Timeouts: Hashable, Sendable {
        /// For a request's head to arrive.
        public var head: Duration = .seconds(30)
        /// For more of a request's body to arrive.
        public var body: Duration = .seconds(30)
        /// For a client to take some of what is written to it.
        public var write: Duration = .seconds(120)
        /// Between requests on a connection.
        public var idle: Duration = .seconds(75)
        /// For connecting to an instance.
        public var connect: Duration = .seconds(5)
        /// For a request to wait for an instance that is being started.
        public var start: Duration = .seconds(20)
        /// For a server to begin its answer.
        public var response: Duration = .seconds(600)
        /// For requests under way when the gateway stops.
        public var drain: Duration = .seconds(10)
    }

    /// Reads, in order of precedence, flags, environment variables and a file; what none of them gives has its default.
    ///
    /// - Parameters:
    ///   - flags: Values from the command line by key (see ``Setting/all``).
    ///   - environment: The environment of the process: `MCP_GATEWAY_…` variables, `HOME` and `XDG_STATE_HOME`.
    ///   - file: The text of the configuration file (YAML), if there is one.
    ///   - workingDirectory: What relative paths are relative to; absolute.
    ///   - processors: How many processors the machine has.
    /// - Throws: every fault at once, each with its key, value and rule.
    public init(
        flags: [String: String],
        environment: [String: String],
        file: [UInt8]?,
        workingDirectory: String,
        processors: Int
    ) throws(ConfigurationError) {
        let document: YAMLNode?
        do {
            document = try file.flatMap { text throws(YAMLError) in try YAMLParser.parse(text) }
        } catch {
            throw ConfigurationError(key: "the configuration file", rule: error.description)
        }
        var reader = SettingReader(flags: flags, environment: environment, file: document)
        let absolute = { (path: String) -> String? in
            if path.isEmpty { return nil }
            if path.hasPrefix("/") { return path }
            if path.hasPrefix("~/") { return environment["HOME"].map { $0 + path.dropFirst(1) } }
            return workingDirectory + "/" + path
        }

        host = reader.value("listen.host", default: "127.0.0.1") { $0.isEmpty || $0.contains(" ") ? nil : $0 }
        port = reader.value("listen.port", default: 8000) { UInt16($0) }
        let state = environment["XDG_STATE_HOME"] ?? environment["HOME"].map { $0 + "/.local/state" } ?? "/var/lib"
        dataDirectory = reader.value("dataDirectory", default: state + "/mcp-gateway", absolute)
        let certificateFile = reader.value("tls.certificateFile", default: nil) { absolute($0).map(Optional.some) }
        let keyFile = reader.value("tls.keyFile", default: nil) { absolute($0).map(Optional.some) }
        tls = certificateFile.flatMap { file in keyFile.map { CertificateFiles(certificates: file, key: $0) } }
        authoritiesFile = reader.value("tls.authoritiesFile", default: nil) { absolute($0).map(Optional.some) }
        catalogueFile = reader.value("catalogue", default: nil) { absolute($0).map(Optional.some) }
        sessionKeyFile = reader.value("session.keyFile", default: dataDirectory + "/session-keys", absolute)
        runtime = reader.value("runtime", default: .process) { RuntimeChoice(rawValue: $0) }
        kubernetes = KubernetesSettings(&reader, absolute: absolute)
        launcher = reader.value("launcher", default: .auto) { LauncherChoice(rawValue: $0) }
        keepsServers = reader.value("keepServers", default: nil) { text in
            switch text {
            case "auto": .some(nil)
            case "yes", "true": .some(true)
            case "no", "false": .some(false)
            default: nil
            }
        }
        logLevel = reader.value("log.level", default: .info) { Logger.Level(rawValue: $0) }
        threads = reader.value("threads", default: processors) { Quantities.integer($0, in: 1...1024) }
        allowAnonymous = reader.value("security.allowAnonymous", default: false, Quantities.flag)
        allowedHosts = Set(
            reader.value("security.allowedHosts", default: []) { text in
                Quantities.list(text) { !$0.contains("/") }
            }.map { $0.lowercased() })
        allowedOrigins = Set(
            reader.value("security.allowedOrigins", default: []) { text in
                Quantities.list(text) { Self.isOrigin($0) }
            }.map { $0.lowercased() })
        limits = Limits()
        if runtime == .kubernetes { limits.instances = 10_000 }
        limits.headBytes = reader.value("limits.headBytes", default: limits.headBytes) {
            Quantities.bytes($0, in: 1 << 10...1 << 20)
        }
        limits.bodyBytes = reader.value("limits.bodyBytes", default: limits.bodyBytes) {
            Quantities.bytes($0, in: 1 << 10...4 << 30)
        }
        limits.connections = reader.value("limits.connections", default: limits.connections) {
            Quantities.integer($0, in: 1...1_000_000)
        }
        limits.streams = reader.value("limits.streams", default: limits.streams) {
            Quantities.integer($0, in: 1...10_000)
        }
        limits.streamsPerPrincipal = reader.value(
            "limits.streamsPerPrincipal", default: limits.streamsPerPrincipal
        ) {
            Quantities.integer($0, in: 1...1_000_000)
        }
        limits.replicas = reader.value("limits.replicas", default: limits.replicas) {
            Quantities.integer($0, in: 1...1000)
        }
        limits.instances = reader.value("limits.instances", default: limits.instances) {
            Quantities.integer($0, in: 1...10_000)
        }
        let memory = reader.value("budget.memory", default: nil) { text in
            Quantities.bytes(text, in: 1 << 20...1 << 50).map(Optional.some)
        }
        let processes = reader.value("budget.processes", default: nil) { text in
            Quantities.integer(text, in: 1...1_000_000).map(Optional.some)
        }
        budget = Budget(memoryBytes: memory.map(Int64.init), processes: processes)
        parkAfter = reader.value("session.parkAfter", default: nil) { text in
            text == "never"
                ? .some(nil) : Quantities.duration(text, in: .seconds(1) ... .seconds(604_800)).map(Optional.some)
        }
        timeouts = Timeouts()
        timeouts.head = reader.value("timeouts.head", default: timeouts.head) {
            Quantities.duration($0, in: .seconds(1) ... .seconds(3600))
        }
        timeouts.body = reader.value("timeouts.body", default: timeouts.body) {
            Quantities.duration($0, in: .seconds(1) ... .seconds(3600))
        }
        timeouts.write = reader.value("timeouts.write", default: timeouts.write) {
            Quantities.duration($0, in: .seconds(1) ... .seconds(3600))
        }
        timeouts.idle = reader.value("timeouts.idle", default: timeouts.idle) {
            Quantities.duration($0, in: .seconds(1) ... .seconds(3600))
        }
        timeouts.connect = reader.value("timeouts.connect", default: timeouts.connect) {
            Quantities.duration($0, in: .milliseconds(10) ... .seconds(300))
        }
        timeouts.start = reader.value("timeouts.start", default: timeouts.start) {
            Quantities.duration($0, in: .zero ... .seconds(3600))
        }
        timeouts.response = reader.value("timeouts.response", default: timeouts.response) {
            Quantities.duration($0, in: .seconds(1) ... .seconds(86_400))
        }
        timeouts.drain = reader.value("timeouts.drain", default: timeouts.drain) {
            Quantities.duration($0, in: .zero ... .seconds(3600))
        }
        signIn = SignInSettings(
            &reader, url: isLoopback && port != 0 ? Self.url(host: host, port: port, isSecure: tls != nil) : nil)
        if !isLoopback && !allowAnonymous && signIn == nil {
            reader.fault(
                "listen.host", value: host,
                rule: """
                    other machines could reach it, and without sign-in whoever does can run programs as this user; \
                    give a loopback address such as 127.0.0.1, let callers sign in (oidc.issuer), or set \
                    security.allowAnonymous to true where something else keeps strangers out
                    """)
        }
        if let certificateFile, keyFile == nil {
            reader.fault("tls.certificateFile", value: certificateFile, rule: "tls.keyFile is missing")
        }
        if let keyFile, certificateFile == nil {
            reader.fault("tls.keyFile", value: keyFile, rule: "tls.certificateFile is missing")
        }
        if runtime == .kubernetes, let catalogueFile {
            reader.fault(
                "catalogue", value: catalogueFile, rule: "with the runtime kubernetes images come from a registry")
        }
        if runtime == .kubernetes, budget.isLimited {
            reader.fault(
                budget.memoryBytes == nil ? "budget.processes" : "budget.memory",
                value: "\(budget.memoryBytes ?? Int64(budget.processes ?? 0))",
                rule: "with the runtime kubernetes a ResourceQuota of the namespace does this")
        }
        if runtime == .kubernetes, let parkAfter {
            reader.fault(
                "session.parkAfter", value: "\(parkAfter)", rule: "with the runtime kubernetes nothing is parked")
        }
        if !reader.faults.isEmpty { throw ConfigurationError(reader.faults) }
    }

    /// Whether only this machine can reach the listener.
    public var isLoopback: Bool { host == "localhost" || host == "::1" || Quantities.isLoopbackIPv4(host) }

    private static func url(host: String, port: UInt16, isSecure: Bool) -> String {
        "\(isSecure ? "https" : "http")://\(host.contains(":") ? "[\(host)]" : host):\(port)"
    }

    /// A scheme, a host and perhaps a port, and nothing after them (RFC 6454 §6.2).
    private static func isOrigin(_ text: String) -> Bool {
        guard let scheme = ["http://", "https://", "vscode-webview://"].first(where: text.hasPrefix) else {
            return false
        }
        let authority = text.dropFirst(scheme.count)
        return !authority.isEmpty && !authority.contains { $0 == "/" || $0 == "?" || $0 == "#" || $0 == " " }
    }
}
