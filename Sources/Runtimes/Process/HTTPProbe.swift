// SPDX-License-Identifier: MIT

internal import NIOCore
internal import NIOPosix
internal import RuntimeContract

/// Finds out whether a server answers HTTP.
///
/// Asks for `/healthz`, and any answer is good, whatever its status: a request to the server's MCP path, even one that is
/// refused, makes some servers begin a session.
enum HTTPProbe {
    /// Whether something at `endpoint` begins to answer within `timeout`.
    static func isAnswered(_ endpoint: Endpoint, timeout: Duration) async -> Bool {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let limit = TimeAmount(timeout)
        let result = loop.makePromise(of: Bool.self)
        let bootstrap = ClientBootstrap(group: loop).connectTimeout(limit)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Handler(endpoint, result))
                }
            }
        let timer = loop.scheduleTask(in: limit) { result.succeed(false) }
        let connection: EventLoopFuture<any Channel> =
            switch endpoint {
            case .tcp(let host, let port): bootstrap.connect(host: host, port: Int(port))
            case .unix(let path): bootstrap.connect(unixDomainSocketPath: path)
            }
        connection.whenFailure { _ in result.succeed(false) }
        let isAnswered = (try? await result.futureResult.get()) ?? false
        timer.cancel()
        connection.whenSuccess { $0.close(promise: nil) }
        return isAnswered
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let request: String
        private let result: EventLoopPromise<Bool>
        private var received = ByteBuffer()

        init(_ endpoint: Endpoint, _ result: EventLoopPromise<Bool>) {
            let host: String =
                switch endpoint {
                case .tcp: "\(endpoint)"
                case .unix: "localhost"
                }
            request = "GET /healthz HTTP/1.1\r\nHost: \(host)\r\nConnection: close\r\n\r\n"
            self.result = result
        }

        func channelActive(context: ChannelHandlerContext) {
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: request)), promise: nil)
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            received.writeImmutableBuffer(unwrapInboundIn(data))
            if received.readableBytes >= 7 {
                // What follows the status line does not matter.
                result.succeed(received.getString(at: received.readerIndex, length: 7) == "HTTP/1.")
                received.clear()
            }
        }

        func channelInactive(context: ChannelHandlerContext) {
            result.succeed(false)
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            result.succeed(false)
            context.close(promise: nil)
        }
    }
}
