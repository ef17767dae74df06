// SPDX-License-Identifier: MIT

import Glibc
import HTTP
public import Logging
import NIOCore
import NIOPosix
public import ServiceLifecycle

/// Turns a stdio MCP server into a streamable HTTP endpoint: `/mcp`, and `/healthz` for probes.
///
/// Everything happens on one event loop, so nothing is locked. A legacy session has a child of its own; clients of the
/// modern era share one child per principal.
public struct Bridge: Service, CustomStringConvertible {
    private let configuration: BridgeConfiguration
    private let log: Logger
    private let onReady: @Sendable (UInt16?) -> Void

    /// The name in logs, where the command's arguments have no business.
    public var description: String { "bridge" }

    /// A bridge that listens when it runs.
    ///
    /// - Parameter onReady: Called once when requests are taken, with the port that was bound, if it is a port.
    public init(
        _ configuration: BridgeConfiguration, log: Logger, onReady: @escaping @Sendable (UInt16?) -> Void = { _ in }
    ) {
        self.configuration = configuration
        self.log = log
        self.onReady = onReady
    }

    /// Serves until graceful shutdown or cancellation, then ends all children and returns when none is left.
    ///
    /// The end takes at most the configuration's `shutdownTimeout` and a second. Throws ``BridgeError`` when the command
    /// or the place to listen is no good.
    public func run() async throws {
        var configuration = configuration
        let environment = ProgramPath.environment()
        configuration.command = try ProgramPath.resolve(configuration.command, search: environment["PATH"])
        // A child that has gone would otherwise end the bridge with the next write.
        signal(SIGPIPE, SIG_IGN)
        Self.raiseOpenFileLimit()
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let result: Result<Void, any Error>
        do {
            try await serve(configuration, environment, group)
            result = .success(())
        } catch {
            result = .failure(error)
        }
        try? await group.shutdownGracefully()
        try result.get()
    }

    private func serve(
        _ configuration: BridgeConfiguration, _ environment: [String: String], _ group: MultiThreadedEventLoopGroup
    ) async throws {
        let loop = group.next()
        let core = try await loop.submit { [log] in
            NIOLoopBound(BridgeCore(configuration, loop: loop, environment: environment, log: log), eventLoop: loop)
        }.get()
        let server = HTTPServer(
            group: group, addresses: [configuration.listener.address], configuration: Self.http, logger: log,
            makeRouter: { _ in core.value },
            onListening: { [log, onReady] addresses in
                let port = addresses.first?.port.flatMap { UInt16(exactly: $0) }
                log.info("The bridge is ready", metadata: ["port": "\(port.map(String.init) ?? "none")"])
                onReady(port)
            })
        let served = await Self.outcome {
            try await withGracefulShutdownHandler {
                try await server.run()
            } onGracefulShutdown: {
                // Streams have to end before the server, which waits for their connections.
                loop.execute { core.value.stop() }
            }
        }
        try await loop.flatSubmit { core.value.end(within: TimeAmount(configuration.shutdownTimeout)) }.get()
        do {
            try served.get()
        } catch let error as ListenError {
            throw BridgeError(.bindFailed, "\(error)")
        }
    }

    private static func outcome(_ body: () async throws -> Void) async -> Result<Void, any Error> {
        do {
            return .success(try await body())
        } catch {
            return .failure(error)
        }
    }

    /// A session takes four descriptors and a connection or two: 1024, the usual soft limit, would be too few for the
    /// default number of sessions.
    ///
    /// Where it can't be raised, sessions beyond it get 502.
    private static func raiseOpenFileLimit() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        let wanted = min(limit.rlim_max, 16384)
        guard limit.rlim_cur < wanted else { return }
        limit.rlim_cur = wanted
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }

    private static var http: HTTPServerConfiguration {
        var configuration = HTTPServerConfiguration()
        configuration.drainTimeout = .seconds(2)
        return configuration
    }
}

extension BridgeConfiguration.Listener {
    fileprivate var address: ListenAddress {
        switch self {
        case .unixSocket(let path): .unix(path: path)
        case .tcp(let host, let port): .tcp(host: host, port: port)
        }
    }
}
