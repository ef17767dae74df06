// SPDX-License-Identifier: MIT

public import NIOCore
import NIOPosix
public import RuntimeContract

/// Asks a server whether it answers HTTP at all: any status will do.
public struct HTTPProbe: Sendable {
    private let group: any EventLoopGroup
    private let endpoint: Endpoint
    private let authority: String?
    private let method: String
    private let path: String
    private let timeout: Duration
    private let secure: Secure?

    /// Encrypts a new connection to the server of that name, before anything is written.
    public typealias Secure = @Sendable (_ channel: any Channel, _ name: String) throws -> EventLoopFuture<Void>

    /// Prepares a question.
    ///
    /// - Parameters:
    ///   - group: where the connection lives.
    ///   - endpoint: the numeric address, or the Unix socket, of the server.
    ///   - host: what the request says in `Host`, if not the address.
    ///   - timeout: how long connecting may take, and how long the answer.
    ///   - secure: needed for endpoints with TLS.
    public init(
        group: any EventLoopGroup, endpoint: Endpoint, host: String? = nil, method: String, path: String,
        timeout: Duration, secure: Secure? = nil
    ) {
        self.group = group
        self.endpoint = endpoint
        authority = host
        self.method = method
        self.path = path
        self.timeout = timeout
        self.secure = secure
    }

    /// Sends one request on a connection of its own.
    ///
    /// `nil` if an answer came, else what was wrong.
    public func ask() async -> String? {
        let limit = TimeAmount(timeout)
        let request = "\(method) \(path) HTTP/1.1\r\nHost: \(host)\r\nAccept: */*\r\nConnection: close\r\n\r\n"
        let loop = group.any()
        let answer = loop.makePromise(of: Void.self)
        let endpoint = endpoint
        let secure = secure
        let bootstrap = ClientBootstrap(group: loop)
            .connectTimeout(limit)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if case .tls(_, _, let name) = endpoint {
                        guard let secure else { throw ProbeFault(message: "TLS is not spoken here") }
                        try secure(channel, name).whenFailure { fault in
                            answer.fail(ProbeFault(message: "\(name) does not prove who it is: \(fault)"))
                        }
                    }
                    try channel.pipeline.syncOperations.addHandler(
                        AnswerHandler(request: request, limit: limit, answer: answer))
                }
            }
        let address: SocketAddress
        do {
            switch endpoint {
            case .tcp(let host, let port), .tls(let host, let port, _):
                address = try SocketAddress(ipAddress: host, port: Int(port))
            case .unix(let path): address = try SocketAddress(unixDomainSocketPath: path)
            }
        } catch {
            answer.fail(error)
            return "\(endpoint) is no address"
        }
        let connection = bootstrap.connect(to: address)
        connection.whenFailure { answer.fail($0) }
        // Whatever becomes of the connection, the question ends: nothing below has to be trusted for that.
        let timer = loop.scheduleTask(in: limit + limit) {
            answer.fail(ProbeFault(message: "no answer within \(limit.nanoseconds / 500_000) ms"))
            connection.whenSuccess { $0.close(promise: nil) }
        }
        defer { timer.cancel() }
        return await withTaskCancellationHandler {
            do {
                try await answer.futureResult.get()
                return nil
            } catch let fault as ProbeFault {
                return fault.message
            } catch {
                return "no connection to \(endpoint)"
            }
        } onCancel: {
            answer.fail(ProbeFault(message: "nobody waits for the answer any more"))
            connection.whenSuccess { $0.close(promise: nil) }
        }
    }

    private var host: String {
        if let authority { return authority }
        if case .unix = endpoint { return "localhost" }
        return "\(endpoint)"
    }
}

private struct ProbeFault: Error {
    let message: String
}

/// Sends the request and waits for the first line of the answer.
private final class AnswerHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let request: String
    private let limit: TimeAmount
    private let answer: EventLoopPromise<Void>
    private var received: [UInt8] = []
    private var timer: Scheduled<Void>?

    init(request: String, limit: TimeAmount, answer: EventLoopPromise<Void>) {
        self.request = request
        self.limit = limit
        self.answer = answer
    }

    func channelActive(context: ChannelHandlerContext) {
        let channel = context.channel
        timer = context.eventLoop.scheduleTask(in: limit) { [answer, limit] in
            answer.fail(ProbeFault(message: "no answer within \(limit.nanoseconds / 1_000_000) ms"))
            channel.close(promise: nil)
        }
        context.writeAndFlush(NIOAny(context.channel.allocator.buffer(string: request)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        received += unwrapInboundIn(data).readableBytesView
        guard let isAnswer = Self.isAnswer(received) else { return }
        if isAnswer { answer.succeed() } else { answer.fail(ProbeFault(message: "the answer is not HTTP/1.1")) }
        context.close(promise: nil)
    }

    // Called in every case, also when the channel is closed before it is told that it is active.
    func handlerRemoved(context: ChannelHandlerContext) {
        timer?.cancel()
        answer.fail(ProbeFault(message: "the connection ended without an answer"))
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    /// Whether the bytes begin with an HTTP/1 status line (RFC 9112 §4); `nil` while there are too few.
    static func isAnswer(_ bytes: [UInt8]) -> Bool? {
        let start = Array("HTTP/1.".utf8)
        guard bytes.prefix(start.count).elementsEqual(start.prefix(bytes.count)) else { return false }
        guard bytes.count >= 12 else { return nil }
        return bytes[8] == UInt8(ascii: " ") && bytes[9...11].allSatisfy { (0x30...0x39).contains($0) }
    }
}
