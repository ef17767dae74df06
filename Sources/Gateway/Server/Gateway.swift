// SPDX-License-Identifier: MIT

internal import ClusterAuthority
internal import ControlPlane
internal import DataPlane
internal import Glibc
internal import HTTP
internal import Identity
internal import KubernetesRuntime
public import Logging
internal import MCPProtocol
internal import Model
internal import NIOCore
internal import NIOPosix
internal import OAuth
internal import Observability
internal import ProcessRuntime
internal import RemoteRuntime
internal import RuntimeContract
internal import ServiceLifecycle
internal import Store
internal import Systemd
internal import TLS
internal import Wire

/// The whole gateway, put together.
public struct Gateway: Sendable {
    /// What it was made from.
    public let configuration: GatewayConfiguration

    /// How long taking over what runs from before may keep clients waiting.
    private static let recoveryPatience = Duration.seconds(10)

    private let logger: Logger
    private let announce: @Sendable (String) -> Void

    /// Puts a gateway together; nothing is opened or started yet.
    ///
    /// - Parameter announce: Called once with the gateway's URL, when it listens.
    public init(
        configuration: GatewayConfiguration, logger: Logger, announce: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.configuration = configuration
        self.logger = logger
        self.announce = announce
    }

    /// Runs until SIGTERM, SIGINT or cancellation; returns when every server it started has ended.
    ///
    /// - Throws: ``StartupError`` when it can't start.
    public func run() async throws {
        let directory = try DataDirectory(configuration.dataDirectory)
        let keyRing = try SessionKeyFile(path: configuration.sessionKeyFile).load()
        let (certificate, trust) = try security()
        let catalogue = try configuration.catalogueFile.map { path throws(StartupError) in
            try CatalogueFile(path: path)
        }
        let store = try directory.openStore()
        let platform = try await platform(directory, catalogue)
        let driver = RuntimeWithRemotes(platform, RemoteRuntime(secure: trust.secure))
        // The loops end last; nothing runs on them any more then.
        let group = MultiThreadedEventLoopGroup(numberOfThreads: configuration.threads)
        let result: Result<Void, any Error>
        do {
            result = .success(
                try await serve(
                    keyRing: keyRing, certificate: certificate, trust: trust, catalogue: catalogue, store: store,
                    authority: authority(platform, store), driver: driver, group: group))
        } catch {
            result = .failure(error)
        }
        await store.close()
        try? await group.shutdownGracefully()
        do {
            try result.get()
        } catch let error as ListenError {
            throw StartupError(.unavailable, "\(error); change listen.host or listen.port")
        }
    }

    private func serve(
        keyRing: SessionKeyRing, certificate: ServerCertificate?, trust: ServerTrust, catalogue: CatalogueFile?,
        store: AdapterStore, authority: (any AdapterAuthority)?, driver: RuntimeWithRemotes,
        group: MultiThreadedEventLoopGroup
    ) async throws {
        let relay = RoutingRelay()
        let signIn = try configuration.signIn.map { settings throws(StartupError) in
            TokenAuthenticator(
                rules: settings.rules,
                authorities: try configuration.authoritiesFile.map { path throws(StartupError) in
                    try TextFile.read(path)
                },
                logger: Logger(label: "sign-in"))
        }
        let resources = configuration.signIn?.resources
        let metrics = PrometheusRegistry.shared
        let images = catalogue?.images ?? []
        let control = ControlPlane(
            store: store, authority: authority, driver: driver,
            configuration: ControlPlaneConfiguration(
                limits: AdapterLimits(replicas: configuration.limits.replicas),
                budget: configuration.budget, parkAfter: configuration.parkAfter,
                removesOrphans: configuration.runtime == .process,
                writesNeedRuntime: configuration.runtime == .kubernetes,
                imageDefaults: { name, version in
                    images.first { $0.name == name && $0.version == version }
                        .map { ImageDefaults(transport: $0.transport, path: $0.path) }
                },
                resources: resources, deployRoles: configuration.signIn?.deployRoles, metrics: { metrics.text() }),
            publish: { relay.publish($0, $1) }, isIdle: { relay.isIdle($0, $1) },
            traffic: relay, sessions: { relay.sessions(of: $0) },
            authenticate: { request throws(AuthenticationError) in
                guard let resources, let signIn else { return .development }
                return try await resources.principal(
                    request.headers["Authorization"], by: signIn,
                    now: Timestamp.now.millisecondsSinceEpoch / 1000)
            }, logger: Logger(label: "control"))
        let announce = announce
        let plane = DataPlane(
            configuration: dataPlaneConfiguration(certificate, trust), keyRing: keyRing,
            authenticator: signIn ?? DevelopmentAuthenticator(),
            control: control.responder, group: group, logger: Logger(label: "data"),
            onListening: { addresses in
                let urls = addresses.map { Self.url($0, isSecure: certificate != nil) }
                for url in urls { announce(url) }
                ServiceNotifier.ready("listening on \(urls.joined(separator: " "))")
            },
            onWanted: { control.want($0) })
        relay.connect(plane)
        metrics.beforeReading { [weak plane] in plane?.showGauges() }
        // Stopped in the reverse order: traffic first, then the reconciler, then the servers.
        // Until what runs from before is taken over, its sessions look lost: clients wait in the kernel's queue, or try again.
        let late = LateService(service: plane) { await control.recovered(atMost: Self.recoveryPatience) }
        let services: [any Service] =
            [driver, control] + (certificate.map { [$0] } ?? []) + (signIn.map { [$0] } ?? []) + [
                late, UnitPresence(group: group),
            ]
        let lifecycle = ServiceGroup(
            configuration: .init(services: services, logger: Logger(label: "lifecycle", level: .error)))
        // Before anything listens or is started: whoever sees the gateway can stop it in good order.
        let signals = await ShutdownSignals(logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { await signals.watch(lifecycle) }
            tasks.addTask { try await lifecycle.run() }
            defer { tasks.cancelAll() }
            try await tasks.next()
        }
    }

    /// What runs servers.
    private func platform(
        _ directory: DataDirectory, _ catalogue: CatalogueFile?
    ) async throws(StartupError) -> any RuntimeDriver {
        let logger = Logger(label: "runtime")
        switch configuration.runtime {
        case .process:
            var process = processConfiguration(directory, catalogue)
            process.units = try await configuration.launcher.units(
                keepsServers: configuration.keepsServers, logger: logger)
            return ProcessRuntime(configuration: process, logger: logger)
        case .kubernetes:
            do throws(RuntimeError) {
                let driver = try KubernetesRuntime(
                    configuration: configuration.kubernetes.runtimeConfiguration(configuration.limits),
                    environment: GatewayConfiguration.processEnvironment(), logger: logger)
                logger.info("servers run in a Kubernetes cluster", metadata: ["namespace": "\(driver.namespace)"])
                return driver
            } catch {
                throw StartupError(.configuration, "kubernetes: \(error.message)")
            }
        }
    }

    /// Where adapters are written, if not in the store.
    private func authority(_ platform: any RuntimeDriver, _ store: AdapterStore) -> ClusterAuthority? {
        guard let cluster = platform as? KubernetesRuntime, configuration.kubernetes.writesResources else { return nil }
        return ClusterAuthority(
            api: cluster.api, store: store, limits: AdapterLimits(replicas: configuration.limits.replicas),
            logger: Logger(label: "authority"))
    }

    private func security() throws(StartupError) -> (ServerCertificate?, ServerTrust) {
        do throws(CertificateError) {
            let certificate = try configuration.tls.map { files throws(CertificateError) in
                try ServerCertificate(files, logger: Logger(label: "tls"))
            }
            return (certificate, try ServerTrust(authorities: configuration.authoritiesFile))
        } catch {
            throw StartupError(.configuration, "tls: \(error)")
        }
    }

    private func processConfiguration(_ directory: DataDirectory, _ catalogue: CatalogueFile?)
        -> ProcessRuntimeConfiguration
    {
        let images = (catalogue?.images ?? []).map { image in
            Catalogue.Image(
                name: image.name, version: image.version, command: image.command, environment: image.environment,
                transport: image.transport, path: image.path)
        }
        return ProcessRuntimeConfiguration(
            stateDirectory: directory.runtime, bridgeExecutable: Self.ownExecutable, catalogue: Catalogue(images),
            capacity: configuration.limits.instances, maximumReplicas: configuration.limits.replicas)
    }

    private func dataPlaneConfiguration(_ certificate: ServerCertificate?, _ trust: ServerTrust)
        -> DataPlaneConfiguration
    {
        let inherited = ServiceNotifier.listeningSockets().map { ListenAddress.inherited(descriptor: $0) }
        var plane = DataPlaneConfiguration(
            addresses: inherited.isEmpty ? [.tcp(host: configuration.host, port: configuration.port)] : inherited,
            origins: OriginPolicy(
                checksHost: configuration.isLoopback, allowedHosts: configuration.allowedHosts,
                allowedOrigins: configuration.allowedOrigins))
        plane.resources = configuration.signIn?.resources
        plane.http.secure = certificate?.secure
        plane.secureUpstream = trust.secure
        plane.http.headLimits.bytes = configuration.limits.headBytes
        plane.http.maximumConnections = configuration.limits.connections
        plane.http.http2.maximumStreams = configuration.limits.streams
        plane.maximumStreamsPerPrincipal = configuration.limits.streamsPerPrincipal
        plane.http.headTimeout = TimeAmount(configuration.timeouts.head)
        plane.http.bodyTimeout = TimeAmount(configuration.timeouts.body)
        plane.http.writeTimeout = TimeAmount(configuration.timeouts.write)
        plane.http.idleTimeout = TimeAmount(configuration.timeouts.idle)
        plane.http.drainTimeout = TimeAmount(configuration.timeouts.drain)
        plane.maximumBodyBytes = configuration.limits.bodyBytes
        plane.connectTimeout = TimeAmount(configuration.timeouts.connect)
        plane.startTimeout = TimeAmount(configuration.timeouts.start)
        plane.responseTimeout = TimeAmount(configuration.timeouts.response)
        return plane
    }

    /// This program; found through the kernel, since `argv[0]` may be relative to a directory that was left.
    private static var ownExecutable: String {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &buffer, buffer.count)
        return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : "/proc/self/exe"
    }

    private static func url(_ address: SocketAddress, isSecure: Bool) -> String {
        let host = address.ipAddress ?? "localhost"
        return "\(isSecure ? "https" : "http")://\(host.contains(":") ? "[\(host)]" : host):\(address.port ?? 0)"
    }
}

extension Logger {
    /// A logger that is quieter than the rest.
    fileprivate init(label: String, level: Logger.Level) {
        self.init(label: label)
        logLevel = level
    }
}
