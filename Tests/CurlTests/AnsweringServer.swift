// SPDX-License-Identifier: MIT

import NIOCore
import NIOPosix

/// A server on a loopback port that answers the first bytes of every connection with always the same ones.
final class AnsweringServer: Sendable {
    let port: Int
    private let channel: any Channel

    /// - Parameter holds: Leaves the connection open after the answer.
    init(_ answer: [UInt8], holds: Bool) async throws {
        channel = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Answer(answer, holds: holds))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        port = channel.localAddress?.port ?? 0
    }

    func close() async { try? await channel.close().get() }

    private final class Answer: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private var answer: [UInt8]?
        private let holds: Bool

        init(_ answer: [UInt8], holds: Bool) {
            self.answer = answer
            self.holds = holds
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            guard let bytes = answer else { return }
            answer = nil
            let written = context.channel.writeAndFlush(ByteBuffer(bytes: bytes))
            if !holds { written.assumeIsolated().whenComplete { _ in context.close(promise: nil) } }
        }
    }
}
