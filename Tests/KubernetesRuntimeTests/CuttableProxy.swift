// SPDX-License-Identifier: MIT

import NIOCore
import NIOPosix
import Synchronization

/// Passes bytes to a loopback port and back, until it is cut.
final class CuttableProxy: Sendable {
    let port: Int
    private let listener: any Channel
    private let wire: Wire

    /// What all connections share.
    final class Wire: Sendable {
        let target: Int
        private let state = Mutex<(isCut: Bool, channels: [ObjectIdentifier: any Channel])>((false, [:]))

        init(target: Int) { self.target = target }

        /// Returns `false` when the wire is cut.
        func add(_ channel: any Channel) -> Bool {
            state.withLock { state in
                guard !state.isCut else { return false }
                state.channels[ObjectIdentifier(channel)] = channel
                return true
            }
        }

        func remove(_ channel: any Channel) {
            state.withLock { _ = $0.channels.removeValue(forKey: ObjectIdentifier(channel)) }
        }

        func set(isCut: Bool) -> [any Channel] {
            state.withLock { state in
                state.isCut = isCut
                return isCut ? Array(state.channels.values) : []
            }
        }
    }

    init(to target: Int) async throws {
        let wire = Wire(target: target)
        self.wire = wire
        listener = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { client in
                guard wire.add(client) else { return client.close() }
                return ClientBootstrap(group: client.eventLoop)
                    .channelInitializer { server in
                        server.eventLoop.makeCompletedFuture {
                            try server.pipeline.syncOperations.addHandler(Forward(to: client, wire))
                        }
                    }
                    .connect(host: "127.0.0.1", port: target)
                    .flatMap { server in
                        _ = wire.add(server)
                        return client.eventLoop.makeCompletedFuture {
                            try client.pipeline.syncOperations.addHandler(Forward(to: server, wire))
                        }
                    }
                    .flatMap { client.setOption(.autoRead, value: true) }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        port = listener.localAddress?.port ?? 0
    }

    /// Closes every connection, and each new one at once.
    func cut() async {
        for channel in wire.set(isCut: true) { try? await channel.close().get() }
    }

    func restore() async { _ = wire.set(isCut: false) }

    func close() async {
        await cut()
        try? await listener.close().get()
    }

    private final class Forward: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let other: any Channel
        private let wire: Wire

        init(to other: any Channel, _ wire: Wire) {
            self.other = other
            self.wire = wire
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            other.writeAndFlush(unwrapInboundIn(data), promise: nil)
        }

        func channelInactive(context: ChannelHandlerContext) {
            wire.remove(context.channel)
            other.close(promise: nil)
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }
}
