// SPDX-License-Identifier: MIT

import NIOCore
import NIOPosix
import Synchronization
import Testing

/// A small HTTP/1.1 client over real sockets: one connection per request, which can be read while it is open.
final class HTTPClient: Sendable {
    /// Where the server is.
    enum Address: Sendable {
        case unix(String)
        case tcp(Int)
    }

    private let address: Address

    init(_ address: Address) {
        self.address = address
    }

    /// Sends a request and gives the connection that its answer comes on.
    func open(
        _ method: String, _ path: String = "/mcp", headers: [(String, String)] = [], body: String? = nil
    ) async throws -> HTTPConversation {
        let conversation = HTTPConversation()
        let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Collector(conversation))
                }
            }
        let channel =
            switch address {
            case .unix(let path): try await bootstrap.connect(unixDomainSocketPath: path).get()
            case .tcp(let port): try await bootstrap.connect(host: "127.0.0.1", port: port).get()
            }
        var head = "\(method) \(path) HTTP/1.1\r\n"
        if !headers.contains(where: { $0.0 == "Host" }) { head += "Host: localhost\r\n" }
        for (name, value) in headers { head += "\(name): \(value)\r\n" }
        if let body { head += "Content-Length: \(body.utf8.count)\r\n" }
        conversation.opened(channel)
        try await channel.writeAndFlush(ByteBuffer(string: head + "\r\n" + (body ?? "")))
        return conversation
    }

    /// Sends a request and waits for the whole answer.
    func send(
        _ method: String, _ path: String = "/mcp", headers: [(String, String)] = [], body: String? = nil
    ) async throws -> HTTPReply {
        let conversation = try await open(method, path, headers: headers, body: body)
        defer { conversation.close() }
        return try await conversation.reply { $0.isComplete }
    }
}

/// An answer, or the part of it that has arrived.
struct HTTPReply: Sendable {
    var status = 0
    var headers: [String: String] = [:]
    var body = ""
    var isComplete = false
    /// Whether the connection was closed by the server.
    var isClosed = false

    /// The server-sent events, comments left out.
    var events: [ServerEvent] {
        body.components(separatedBy: "\n\n").dropLast().compactMap(ServerEvent.init)
    }

    /// The messages in the events.
    var messages: [String] { events.map(\.data).filter { !$0.isEmpty } }

    /// Reads as much as there is of `bytes`.
    init(_ bytes: [UInt8], isClosed: Bool) {
        self.isClosed = isClosed
        let text = String(decoding: bytes, as: UTF8.self)
        let parts = text.components(separatedBy: "\r\n\r\n", maximum: 2)
        guard parts.count == 2 else { return }
        let lines = parts[0].components(separatedBy: "\r\n")
        status = Int(lines[0].split(separator: " ").dropFirst().first ?? "") ?? 0
        for line in lines.dropFirst() {
            let field = line.components(separatedBy: ":", maximum: 2)
            guard field.count == 2 else { continue }
            headers[field[0].lowercased()] = String(field[1].drop { $0 == " " })
        }
        if headers["transfer-encoding"] == "chunked" {
            (body, isComplete) = Self.dechunked(Array(parts[1].utf8))
        } else if let length = headers["content-length"].flatMap({ Int($0) }) {
            body = parts[1]
            isComplete = body.utf8.count >= length
        } else {
            body = parts[1]
            isComplete = status == 202 || status == 204 || isClosed
        }
    }

    private static func dechunked(_ bytes: [UInt8]) -> (String, Bool) {
        var output: [UInt8] = []
        var rest = bytes[...]
        while let end = rest.firstIndex(of: 10) {
            let size = String(decoding: rest[..<end], as: UTF8.self).filter { $0 != "\r" && $0 != "\r\n" }
            guard let count = Int(size, radix: 16) else { break }
            if count == 0 { return (String(decoding: output, as: UTF8.self), true) }
            rest = rest[(end + 1)...]
            guard rest.count >= count + 2 else { break }
            output += rest.prefix(count)
            rest = rest.dropFirst(count + 2)
        }
        return (String(decoding: output, as: UTF8.self), false)
    }
}

/// One server-sent event.
struct ServerEvent: Sendable, Equatable {
    var id: String?
    var data = ""
    var retry: String?

    init?(_ text: String) {
        var isEvent = false
        for line in text.components(separatedBy: "\n") {
            if line.hasPrefix("id: ") { (id, isEvent) = (String(line.dropFirst(4)), true) }
            if line.hasPrefix("retry: ") { (retry, isEvent) = (String(line.dropFirst(7)), true) }
            if line.hasPrefix("data: ") { (data, isEvent) = (data + line.dropFirst(6), true) }
        }
        guard isEvent else { return nil }
    }
}

/// The connection of one request.
final class HTTPConversation: Sendable {
    private struct State {
        var bytes: [UInt8] = []
        var isClosed = false
        var channel: (any Channel)?
    }

    private let state = Mutex(State())

    /// Waits until `condition` holds for what has arrived; fails after a minute.
    func reply(line: Int = #line, until condition: @Sendable (HTTPReply) -> Bool) async throws -> HTTPReply {
        let deadline = ContinuousClock.now + .seconds(60)
        var seen = -1
        var reply = now
        while true {
            let size = state.withLock { $0.bytes.count + ($0.isClosed ? 1 : 0) }
            if size != seen {
                seen = size
                reply = now
                if condition(reply) { return reply }
            }
            guard ContinuousClock.now < deadline, !reply.isClosed else {
                throw Unmet(
                    seen:
                        "line \(line): status \(reply.status), closed \(reply.isClosed), body \(reply.body.prefix(300))"
                )
            }
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    /// What has arrived.
    var now: HTTPReply { state.withLock { HTTPReply($0.bytes, isClosed: $0.isClosed) } }

    /// Closes the connection, as a client that leaves.
    func close() {
        state.withLock { $0.channel }?.close(promise: nil)
    }

    /// Stops or goes on taking bytes off the socket.
    func setReading(_ isReading: Bool) async throws {
        try await state.withLock { $0.channel }?.setOption(.autoRead, value: isReading).get()
    }

    func opened(_ channel: any Channel) {
        state.withLock { $0.channel = channel }
    }

    func received(_ bytes: ByteBuffer) {
        state.withLock { $0.bytes += bytes.readableBytesView }
    }

    func ended() {
        state.withLock { $0.isClosed = true }
    }
}

/// A condition that did not come true in time.
struct Unmet: Error {
    let seen: String
}

private final class Collector: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer

    private let conversation: HTTPConversation

    init(_ conversation: HTTPConversation) {
        self.conversation = conversation
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { conversation.received(unwrapInboundIn(data)) }

    func channelInactive(context: ChannelHandlerContext) { conversation.ended() }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

extension String {
    /// The parts between occurrences of `separator`, at most `maximum` of them.
    func components(separatedBy separator: String, maximum: Int = .max) -> [String] {
        var parts: [String] = []
        var current: [UInt8] = []
        let bytes = Array(utf8)
        let mark = Array(separator.utf8)
        var index = 0
        while index < bytes.count {
            if parts.count + 1 < maximum, bytes[index...].starts(with: mark) {
                parts.append(String(decoding: current, as: UTF8.self))
                current = []
                index += mark.count
            } else {
                current.append(bytes[index])
                index += 1
            }
        }
        return parts + [String(decoding: current, as: UTF8.self)]
    }
}
