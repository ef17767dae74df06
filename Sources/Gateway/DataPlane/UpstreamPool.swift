// SPDX-License-Identifier: MIT

import HTTP
import Model
import NIOCore
import NIOPosix
import RuntimeContract

/// The connections of one loop to one life of an instance.
///
/// Confined to its loop. The most recently used connection is taken first, so that the others grow old and are closed
/// when there is less to do.
final class UpstreamPool {
    /// Where they go.
    let endpoint: Endpoint
    /// Stands for the life of the instance: what is connected to an earlier one at the same address is of no use.
    let load: PlacementLoad
    /// What the loop shares.
    unowned let proxy: ProxyLoop

    /// The address where none has to be looked up.
    private let address: SocketAddress?
    private var idle: [UpstreamConnection] = []
    private var isClosed = false

    init(_ instance: InstanceTarget, proxy: ProxyLoop) {
        endpoint = instance.endpoint.endpoint
        load = instance.load
        self.proxy = proxy
        address = Self.address(of: endpoint)
    }

    /// The address of `endpoint` where none has to be looked up.
    static func address(of endpoint: Endpoint) -> SocketAddress? {
        switch endpoint {
        case .tcp(let host, let port), .tls(let host, let port, _):
            try? SocketAddress(ipAddress: host, port: Int(port))
        case .unix(let path): try? SocketAddress(unixDomainSocketPath: path)
        }
    }

    /// Whether its connections are encrypted.
    var isSecure: Bool { if case .tls = endpoint { true } else { false } }

    /// An unused connection for `exchange`, if there is one that is open; the exchange hears when it is lost.
    func take(for exchange: ProxyExchange) -> UpstreamConnection? {
        guard let connection = idle.popLast() else { return nil }
        connection.reserve(for: exchange)
        return connection
    }

    /// A new connection for `exchange`, to be opened with ``open(_:)``.
    func makeConnection(for exchange: ProxyExchange) -> UpstreamConnection {
        UpstreamConnection(pool: self, exchange: exchange)
    }

    /// Opens `connection`; its exchange hears of the outcome, perhaps before this returns.
    func open(_ connection: UpstreamConnection) {
        Self.connect(connection, to: endpoint, address: address, proxy: proxy) { isOpen in
            if isOpen { connection.connected() } else { connection.connectFailed() }
        }
    }

    /// Opens a connection to `endpoint` that `handler` reads; `completion` hears of the outcome, perhaps before this
    /// returns.
    static func connect(
        _ handler: some ChannelInboundHandler, to endpoint: Endpoint, address: SocketAddress?, proxy: ProxyLoop,
        _ completion: @escaping (Bool) -> Void
    ) {
        let bound = NIOLoopBound(handler, eventLoop: proxy.eventLoop)
        // Succeeds when the server has proved who it is; at once where it need not.
        let proof = NIOLoopBoundBox<EventLoopFuture<Void>?>(nil, eventLoop: proxy.eventLoop)
        let secure = proxy.configuration.secureUpstream
        // What TLS keeps of a read is its own affair.
        let readBuffers: any RecvByteBufferAllocator =
            if case .tls = endpoint { ReadBuffer.ownBuffers } else { proxy.loop.readBuffer.allocator }
        var bootstrap = ClientBootstrap(group: proxy.eventLoop)
            .connectTimeout(proxy.configuration.connectTimeout)
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelOption(.recvAllocator, value: readBuffers)
            .channelOption(.writeBufferWaterMark, value: proxy.loop.configuration.writeBufferWaterMark)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if case .tls(_, _, let name) = endpoint {
                        guard let secure else { throw ChannelError.operationUnsupported }
                        proof.value = try secure(channel, name)
                    }
                    try channel.pipeline.syncOperations.addHandler(bound.value)
                }
            }
        switch endpoint {
        case .tcp, .tls: bootstrap = bootstrap.channelOption(.tcpOption(.tcp_nodelay), value: 1)
        case .unix: break
        }
        let future: EventLoopFuture<any Channel> =
            if let address {
                bootstrap.connect(to: address)
            } else if case .tcp(let host, let port) = endpoint {
                bootstrap.connect(host: host, port: Int(port))
            } else {
                // A path that is longer than a socket's address may be.
                proxy.eventLoop.makeFailedFuture(ChannelError.connectPending)
            }
        future.assumeIsolated().whenComplete { result in
            switch result {
            case .success:
                guard let proof = proof.value else { return completion(true) }
                proof.assumeIsolated().whenComplete { result in
                    if case .success = result { completion(true) } else { completion(false) }
                }
            case .failure: completion(false)
            }
        }
    }

    /// Keeps `connection` for the next request, unless there are enough.
    func giveBack(_ connection: UpstreamConnection) {
        guard !isClosed, idle.count < proxy.configuration.maximumIdleUpstreams else { return connection.close() }
        idle.append(connection)
    }

    /// An unused connection has ended.
    func remove(_ connection: UpstreamConnection) {
        // It is nearly always among the oldest, which stand first.
        if let index = idle.firstIndex(where: { $0 === connection }) { idle.remove(at: index) }
    }

    /// Closes what is unused now, and what is in use when its request is over.
    func close() {
        isClosed = true
        let connections = idle
        idle = []
        for connection in connections { connection.close() }
    }
}
