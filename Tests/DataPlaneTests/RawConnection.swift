// SPDX-License-Identifier: MIT

import Glibc
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// One end of a connection that sends what no HTTP library would, and sees what comes byte by byte.
///
/// Every wait has a deadline.
final class RawConnection: Sendable {
    private let channel: any Channel
    private let inbox: Inbox

    fileprivate init(_ channel: any Channel, _ inbox: Inbox) {
        self.channel = channel
        self.inbox = inbox
    }

    deinit { channel.close(promise: nil) }

    static func connect(port: Int) async throws -> RawConnection {
        try await connect { $0.connect(host: "127.0.0.1", port: port) }
    }

    static func connect(path: String) async throws -> RawConnection {
        try await connect { $0.connect(unixDomainSocketPath: path) }
    }

    private static func connect(
        _ connect: (ClientBootstrap) -> EventLoopFuture<any Channel>
    ) async throws -> RawConnection {
        let inbox = Inbox()
        let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(inbox) }
            }
        return RawConnection(try await connect(bootstrap).get(), inbox)
    }

    func send(_ text: String) async throws { try await send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) async throws {
        try await channel.writeAndFlush(ByteBuffer(bytes: bytes)).get()
    }

    /// Sends without waiting until it is on its way.
    func post(_ text: String) { channel.writeAndFlush(ByteBuffer(string: text), promise: nil) }

    /// How many bytes were posted and are not on their way.
    func backlog() async throws -> Int {
        try await channel.eventLoop.submit { [channel] in
            try channel.syncOptions?.getOption(ChannelOptions.bufferedWritableBytes) ?? 0
        }.get()
    }

    func close() { channel.close(promise: nil) }

    /// Ends when all that was posted is on its way.
    func flushAndClose() async throws {
        try await channel.writeAndFlush(ByteBuffer()).get()
        channel.close(promise: nil)
    }

    /// Ends with a reset, as a process does that dies with unread bytes.
    func reset() async throws {
        try await (channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0)).get()
        try? await channel.close().get()
    }

    func pauseReading(_ isPaused: Bool) async throws {
        try await channel.setOption(.autoRead, value: !isPaused).get()
    }

    /// The first bytes, as many as `count` says once it says it.
    ///
    /// `count` sees all that has arrived and was not taken, and whether the other side has ended.
    func take(_ count: @escaping @Sendable (_ bytes: ArraySlice<UInt8>, _ isEnd: Bool) -> Int?) async throws
        -> [UInt8]
    {
        try await inbox.take(count)
    }

    /// What arrives until the text so far satisfies `isEnough`, or the connection ends.
    func receive(until isEnough: @escaping @Sendable (String) -> Bool) async throws -> String {
        let bytes = try await take { bytes, isEnd in
            isEnd || isEnough(String(decoding: bytes, as: UTF8.self)) ? bytes.count : nil
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    func receiveAll() async throws -> String {
        String(decoding: try await take { bytes, isEnd in isEnd ? bytes.count : nil }, as: UTF8.self)
    }

    /// Returns when the other side has ended the connection.
    func waitForEnd() async throws { _ = try await take { _, isEnd in isEnd ? 0 : nil } }

    var hasEnded: Bool { inbox.hasEnded }
    /// All bytes that have ever arrived.
    var receivedCount: Int { inbox.receivedCount }
}

/// Collects what arrives, for one who waits.
private final class Inbox: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer

    private struct State {
        var bytes: [UInt8] = []
        var total = 0
        var hasEnded = false
    }

    private let state = NIOLockedValueBox(State())
    private let changes = Mailbox<Void>()

    var hasEnded: Bool { state.withLockedValue(\.hasEnded) }
    var receivedCount: Int { state.withLockedValue(\.total) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        state.withLockedValue { state in
            state.bytes.append(contentsOf: bytes.readableBytesView)
            state.total += bytes.readableBytes
        }
        changes.put(())
    }

    func channelInactive(context: ChannelHandlerContext) {
        state.withLockedValue { $0.hasEnded = true }
        changes.put(())
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    func take(_ count: (ArraySlice<UInt8>, Bool) -> Int?) async throws -> [UInt8] {
        while true {
            let (found, seen) = state.withLockedValue { state -> ([UInt8]?, [UInt8]) in
                guard let count = count(state.bytes[...], state.hasEnded) else { return (nil, state.bytes) }
                let taken = Array(state.bytes.prefix(count))
                state.bytes.removeFirst(taken.count)
                return (taken, [])
            }
            if let found { return found }
            do {
                _ = try await changes.take()
            } catch {
                throw TestFailure("\(error); so far: \(String(decoding: seen.suffix(2000), as: UTF8.self))")
            }
        }
    }
}

/// A server that accepts connections and does nothing by itself.
final class RawServer: Sendable {
    private let channel: any Channel
    private let accepted: Mailbox<RawConnection>

    private init(_ channel: any Channel, _ accepted: Mailbox<RawConnection>) {
        self.channel = channel
        self.accepted = accepted
    }

    deinit { channel.close(promise: nil) }

    /// Listens on a free port, or on the Unix socket `path`.
    static func listen(path: String? = nil) async throws -> RawServer {
        let accepted = Mailbox<RawConnection>()
        let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                let inbox = Inbox()
                return channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(inbox)
                    accepted.put(RawConnection(channel, inbox))
                }
            }
        let channel =
            if let path {
                try await bootstrap.bind(unixDomainSocketPath: path, cleanupExistingSocketFile: true).get()
            } else {
                try await bootstrap.bind(host: "127.0.0.1", port: 0).get()
            }
        return RawServer(channel, accepted)
    }

    var port: Int { channel.localAddress?.port ?? 0 }
    /// How many connections wait to be accepted.
    var waitingCount: Int { accepted.count }

    /// The next connection.
    func accept() async throws -> RawConnection {
        guard let connection = try await accepted.take() else { throw TestFailure("the server is closed") }
        return connection
    }

    func close() async throws { try await channel.close().get() }
}
