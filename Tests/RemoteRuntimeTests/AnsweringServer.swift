// SPDX-License-Identifier: MIT

import NIOCore
import NIOPosix
import Synchronization

/// Answers every request with 405, and remembers what `Host` was.
final class AnsweringServer: Sendable {
    private let channel: any Channel
    private let seen: Seen

    private final class Seen: Sendable {
        let hosts = Mutex<[String]>([])
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        let seen: Seen
        init(_ seen: Seen) { self.seen = seen }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let text = String(buffer: unwrapInboundIn(data))
            for line in text.split(separator: "\r\n") where line.hasPrefix("Host:") {
                seen.hosts.withLock { $0.append(String(line)) }
            }
            let answer = "HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            context.writeAndFlush(NIOAny(ByteBuffer(string: answer)), promise: nil)
            context.close(promise: nil)
        }
    }

    private init(_ channel: any Channel, _ seen: Seen) {
        self.channel = channel
        self.seen = seen
    }

    static func listen(host: String = "127.0.0.1", port: Int = 0) async throws -> AnsweringServer {
        let seen = Seen()
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Handler(seen))
                }
            }
            .bind(host: host, port: port).get()
        return AnsweringServer(channel, seen)
    }

    var port: Int { channel.localAddress?.port ?? 0 }
    var hosts: [String] { seen.hosts.withLock(\.self) }
    func close() async throws { try await channel.close().get() }
}
