// SPDX-License-Identifier: MIT

import HTTP
import NIOCore
import NIOPosix
import RuntimeContract

/// The connections of one loop to one endpoint.
///
/// Confined to its loop.
///
/// The most recently used connection is taken first, so that the others grow old and are closed when there is less to do.
final class UpstreamPool {
    /// Where they go.
    let endpoint: Endpoint
    /// What the loop shares.
    unowned let proxy: ProxyLoop

    private var idle: [UpstreamConnection] = []

    init(endpoint: Endpoint, proxy: ProxyLoop) {
        self.endpoint = endpoint
        self.proxy = proxy
    }

    /// An unused connection, if there is one that is open.
    func take() -> UpstreamConnection? {
        while let connection = idle.popLast() {
            if connection.isOpen { return connection }
        }
        return nil
    }

    /// A new connection, which is not open yet; `exchange` hears of the outcome.
    func connect(for exchange: ProxyExchange) -> UpstreamConnection {
        let connection = UpstreamConnection(pool: self)
        connection.exchange = exchange
        let bound = NIOLoopBound(connection, eventLoop: proxy.eventLoop)
        var bootstrap = ClientBootstrap(group: proxy.eventLoop)
            .connectTimeout(proxy.configuration.connectTimeout)
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelOption(.writeBufferWaterMark, value: proxy.loop.configuration.writeBufferWaterMark)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(bound.value) }
            }
        let future: EventLoopFuture<any Channel>
        switch endpoint {
        case .tcp(let host, let port):
            bootstrap = bootstrap.channelOption(.tcpOption(.tcp_nodelay), value: 1)
            future = bootstrap.connect(host: host, port: Int(port))
        case .unix(let path):
            future = bootstrap.connect(unixDomainSocketPath: path)
        }
        future.assumeIsolated().whenComplete { result in
            switch result {
            case .success: connection.connected()
            case .failure: connection.connectFailed()
            }
        }
        return connection
    }

    /// Keeps `connection` for the next request, unless there are enough.
    func giveBack(_ connection: UpstreamConnection) {
        guard idle.count < proxy.configuration.maximumIdleUpstreams else { return connection.close() }
        idle.append(connection)
    }

    /// An unused connection has ended.
    func remove(_ connection: UpstreamConnection) {
        // It is nearly always among the oldest, which stand first.
        if let index = idle.firstIndex(where: { $0 === connection }) { idle.remove(at: index) }
    }

    /// Closes what is unused; what is in use is closed when its request is over.
    func closeIdle() {
        let connections = idle
        idle = []
        for connection in connections { connection.close() }
    }
}
