// SPDX-License-Identifier: MIT

public import RuntimeContract

/// What is known of an image and holds where an adapter does not say otherwise.
public struct ImageDefaults: Hashable, Sendable {
    /// How its server speaks.
    public var transport: Transport?
    /// The path of its MCP endpoint.
    public var path: String?

    /// Describes an image.
    public init(transport: Transport? = nil, path: String? = nil) {
        self.transport = transport
        self.path = path
    }
}

extension Adapter {
    /// The image's name and version, or `nil` when the adapter is not made from an image.
    public var image: (name: String, version: String)? {
        guard case .image(let name, let version, _) = spec.source else { return nil }
        return (name, version)
    }

    /// What a driver is to run or, where the adapter stands for servers of somebody else, to watch.
    public func workload(_ defaults: ImageDefaults = ImageDefaults()) -> WorkloadSpec {
        let source: WorkloadSource
        switch spec.source {
        case .image(let name, let version, let command):
            source = .image(name: name, version: version, command: command)
        case .command(let command): source = .command(command)
        case .remote(let urls): source = .remote(urls.map { RemoteEndpoint($0) })
        }
        let route = route(defaults)
        return WorkloadSpec(
            id: name.workload,
            generation: generation,
            source: source,
            environment: spec.environmentVariables,
            secretEnvironment: spec.secretEnvironmentVariables,
            replicas: spec.replicaCount,
            transport: route.transport,
            port: spec.port,
            path: route.transport == .sse ? route.ssePath : route.path,
            limits: spec.resources,
            gracePeriod: gracePeriod,
            drainTime: .seconds(spec.session.drainTimeoutSeconds),
            usesWorkloadIdentity: spec.useWorkloadIdentity,
            labels: spec.labels)
    }

    /// How long an instance may go on after it was asked to stop.
    public var gracePeriod: Duration { .seconds(spec.gracePeriodSeconds) }

    /// What routing needs to know.
    public func route(_ defaults: ImageDefaults = ImageDefaults()) -> AdapterRoute {
        let transport = spec.transport ?? defaults.transport ?? .streamableHTTP
        var path = spec.path ?? defaults.path
        var ssePath = spec.ssePath
        var authorities: [String] = []
        if case .remote(let urls) = spec.source {
            authorities = urls.map { RemoteEndpoint($0).authority }
            if transport == .sse { ssePath = ssePath ?? urls.first?.path } else { path = path ?? urls.first?.path }
        }
        return AdapterRoute(
            name: name,
            transport: transport,
            path: path ?? "/mcp",
            ssePath: ssePath ?? "/sse",
            authorities: authorities,
            secretHeaders: spec.secretHeaders,
            affinity: spec.session.affinity,
            recovery: spec.session.recovery,
            protocolVersions: spec.protocolVersions,
            access: access,
            sessionIdleTimeout: .seconds(spec.session.idleTimeoutSeconds),
            parkAfter: spec.session.parkAfterSeconds.map { .seconds($0) })
    }
}

extension RemoteEndpoint {
    fileprivate init(_ url: RemoteURL) {
        self.init(host: url.host, port: url.port, isEncrypted: url.isEncrypted)
    }
}
