// SPDX-License-Identifier: MIT

public import Logging
public import NIOCore
internal import NIOPosix
public import ServiceLifecycle

/// Where a server listens.
public enum ListenAddress: Hashable, Sendable, CustomStringConvertible {
    /// A host name or IP address and a port; port 0 takes any free one.
    case tcp(host: String, port: UInt16)
    /// A Unix stream socket; a socket that nobody listens on any more is replaced.
    case unix(path: String)
    /// A stream socket that is bound and listens already, as systemd hands it over; owned by the server from then on.
    case inherited(descriptor: Int32)

    /// The text form.
    public var description: String {
        switch self {
        case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path): "unix:\(path)"
        case .inherited(let descriptor): "descriptor \(descriptor)"
        }
    }
}

/// Why a server can't listen.
public struct ListenError: Error, CustomStringConvertible {
    /// Where it was to listen.
    public var address: ListenAddress
    /// What the system said.
    public var cause: any Error

    /// The text form.
    public var description: String { "can't listen on \(address): \(cause)" }
}

/// A server of HTTP/1.1 and HTTP/2 on event loops: what becomes of a request is for a ``RequestRouter`` of its loop to decide.
public final class HTTPServer: Service {
    private let group: any EventLoopGroup
    private let addresses: [ListenAddress]
    private let configuration: HTTPServerConfiguration
    private let logger: Logger
    private let count: ConnectionCount
    private let makeRouter: @Sendable (HTTPServerLoop) -> any RequestRouter
    private let onListening: @Sendable ([SocketAddress]) async -> Void

    /// Prepares a server; nothing is opened before ``run()``.
    ///
    /// - Parameters:
    ///   - group: The loops that carry the connections.
    ///   - makeRouter: Called once on each loop.
    ///   - onListening: Called once with the bound addresses, in the order of `addresses`, before traffic is waited for.
    public init(
        group: any EventLoopGroup,
        addresses: [ListenAddress],
        configuration: HTTPServerConfiguration = HTTPServerConfiguration(),
        logger: Logger,
        makeRouter: @escaping @Sendable (HTTPServerLoop) -> any RequestRouter,
        onListening: @escaping @Sendable ([SocketAddress]) async -> Void = { _ in }
    ) {
        self.group = group
        self.addresses = addresses
        self.configuration = configuration
        self.logger = logger
        self.makeRouter = makeRouter
        self.onListening = onListening
        count = ConnectionCount(maximum: configuration.maximumConnections)
    }

    /// Listens until graceful shutdown or cancellation.
    ///
    /// Then: no new connections, idle ones are closed, requests under way may go on for the drain time, the rest is
    /// broken off. On cancellation all is broken off at once.
    ///
    /// - Throws: ``ListenError``.
    public func run() async throws {
        let loops = try await makeLoops()
        var listeners: [Listener] = []
        do {
            for address in addresses { listeners.append(try await listen(address, loops)) }
        } catch {
            await stop(listeners, loops)
            throw error
        }
        await onListening(listeners.map(\.channel).compactMap(\.localAddress))
        await waitForShutdown(listeners)
        let dead = listeners.first { !$0.channel.isActive }
        let isWanted = Task.isCancelled || Task.isShuttingDownGracefully
        for listener in listeners { await listener.close() }
        if isWanted, !Task.isCancelled { await drain(loops) }
        await stop(listeners, loops)
        if !isWanted, let dead { throw ListenError(address: dead.address, cause: ChannelError.alreadyClosed) }
    }

    /// Returns at shutdown, at cancellation, or when the system has closed a listener.
    private func waitForShutdown(_ listeners: [Listener]) async {
        await cancelWhenGracefulShutdown {
            // A stream that nobody feeds: it ends when the task is cancelled or asked to shut down.
            let (stream, continuation) = AsyncStream.makeStream(of: Never.self)
            for listener in listeners { listener.channel.closeFuture.whenComplete { _ in continuation.finish() } }
            for await _ in stream {}
            continuation.finish()
        }
    }

    /// Closes everything.
    private func stop(_ listeners: [Listener], _ loops: Loops) async {
        for listener in listeners { await listener.close() }
        for loop in loops.values { try? await loop.eventLoop.submit { loop.value.stop() }.get() }
    }

    private typealias Loops = [ObjectIdentifier: NIOLoopBound<HTTPServerLoop>]

    private func makeLoops() async throws -> Loops {
        var loops: Loops = [:]
        for eventLoop in group.makeIterator() {
            let configuration = configuration
            let makeRouter = makeRouter
            loops[ObjectIdentifier(eventLoop)] = try await eventLoop.submit {
                let loop = HTTPServerLoop(eventLoop: eventLoop, configuration: configuration)
                loop.setRouter(makeRouter(loop))
                return NIOLoopBound(loop, eventLoop: eventLoop)
            }.get()
        }
        return loops
    }

    private func listen(_ address: ListenAddress, _ loops: Loops) async throws -> Listener {
        let count = count
        let logger = logger
        let waterMark = configuration.writeBufferWaterMark
        let accepts = UInt(max(1, min(64, configuration.maximumConnections / 128)))
        let secure = configuration.secure
        let isTCP: Bool = if case .unix = address { false } else { true }
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 4096)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            // Many at a time, or those that come together wait for a turn of the loop each; but few enough that a limit is
            // passed by less than a hundredth.
            .serverChannelOption(.maxMessagesPerRead, value: accepts)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AcceptLimiter(count: count, logger: logger))
                }
            }
            .childChannelOption(.writeBufferWaterMark, value: waterMark)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard let loop = loops[ObjectIdentifier(channel.eventLoop)] else {
                        throw ChannelError.ioOnClosedChannel
                    }
                    // A pipelining client's next request is what a second read would find; one at a time is fair.
                    try channel.syncOptions?.setOption(.maxMessagesPerRead, value: 1)
                    try channel.syncOptions?.setOption(
                        .recvAllocator, value: secure == nil ? loop.value.readBuffer.allocator : ReadBuffer.ownBuffers)
                    // An inherited socket may be of either kind; on a Unix socket this is refused and not needed.
                    if isTCP { try? channel.syncOptions?.setOption(.tcpOption(.tcp_nodelay), value: 1) }
                    try secure?(channel)
                    try channel.pipeline.syncOperations.addHandler(
                        HTTPServerConnection(context: loop.value, channel: channel))
                }
            }
        do {
            switch address {
            case .tcp(let host, let port):
                return Listener(address: address, channel: try await bootstrap.bind(host: host, port: Int(port)).get())
            case .unix(let path):
                guard !UnixSocketFile.isAlive(path: path) else {
                    throw IOError(errnoCode: EADDRINUSE, reason: "another process listens on it")
                }
                let channel = try await bootstrap.bind(unixDomainSocketPath: path, cleanupExistingSocketFile: true)
                    .get()
                return Listener(address: address, channel: channel, file: UnixSocketFile(path: path))
            case .inherited(let descriptor):
                return Listener(address: address, channel: try await bootstrap.withBoundSocket(descriptor).get())
            }
        } catch {
            throw ListenError(address: address, cause: error)
        }
    }

    private func drain(_ loops: Loops) async {
        let limit = configuration.drainTimeout
        await withTaskGroup(of: Void.self) { tasks in
            for loop in loops.values {
                tasks.addTask {
                    let drained = loop.eventLoop.makePromise(of: Void.self)
                    loop.eventLoop.execute {
                        let timeout = loop.eventLoop.scheduleTask(in: limit) { drained.succeed() }
                        loop.value.drain().whenComplete { _ in
                            timeout.cancel()
                            drained.succeed()
                        }
                    }
                    await withTaskCancellationHandler {
                        try? await drained.futureResult.get()
                    } onCancel: {
                        loop.eventLoop.execute { drained.succeed() }
                    }
                }
            }
        }
    }
}
