// SPDX-License-Identifier: MIT

import HTTP
import MCPProtocol
import NIOCore

/// The connection that takes the messages of one modern request.
///
/// The answer decides the form: when it is the first message, it is the JSON body with the status that fits it;
/// otherwise, and when it takes long, the messages are server-sent events without identifiers, since nothing can be
/// resumed in this era.
final class CallReader {
    /// The connection's request.
    let exchange: HTTPExchange

    private let accept: AcceptHeader
    private let isSubscription: Bool
    private var hasBegun = false
    private var queue = CircularBuffer<(bytes: ByteBuffer, kind: ModernMultiplexer.Kind)>()
    private var lastProgress = NIODeadline.now()

    /// The bytes that the connection has not taken.
    private(set) var pendingBytes = 0
    /// Whether the last message was written.
    private(set) var isDone = false

    /// A reader that has read nothing.
    init(_ exchange: HTTPExchange, accept: AcceptHeader, isSubscription: Bool) {
        self.exchange = exchange
        self.accept = accept
        self.isSubscription = isSubscription
    }

    /// Takes a message of the child; returns by how much ``pendingBytes`` grew.
    func add(_ bytes: ByteBuffer, _ kind: ModernMultiplexer.Kind) -> Int {
        guard accept.eventStream || kind != .notification else { return 0 }
        queue.append((bytes, kind))
        pendingBytes += bytes.readableBytes
        return bytes.readableBytes
    }

    /// Writes what the connection takes, or all with `force`; returns by how much ``pendingBytes`` shrank.
    func flush(force: Bool) -> Int {
        var written = 0
        while !isDone, let next = queue.first, force || !hasBegun || exchange.isWritable {
            queue.removeFirst()
            written += next.bytes.readableBytes
            write(next.bytes, next.kind)
        }
        pendingBytes -= written
        if written > 0 { lastProgress = .now() }
        return written
    }

    /// Ends the request with our own error.
    func fail(_ error: ByteBuffer) {
        _ = flush(force: true)
        guard !isDone else { return }
        isDone = true
        guard hasBegun else { return exchange.respond(status: 502, json: error) }
        // A subscription has no answer in the ordinary case: its client takes the break as a sign to ask again.
        guard !isSubscription else { return exchange.abort() }
        exchange.write(ServerSentEvent.encode(error, id: nil))
        exchange.end()
    }

    /// Whether messages wait and none was taken for `timeout`.
    func isStalled(_ now: NIODeadline, _ timeout: TimeAmount) -> Bool {
        !queue.isEmpty && lastProgress + timeout <= now
    }

    /// Writes a comment when nothing was written for `interval`; turns a request that takes long into a stream.
    func keepAlive(_ now: NIODeadline, interval: TimeAmount) {
        guard accept.eventStream, queue.isEmpty, lastProgress + interval <= now else { return }
        lastProgress = now
        beginStream()
        guard exchange.isWritable else { return }
        exchange.write(ServerSentEvent.keepAlive)
    }

    private func beginStream() {
        guard !hasBegun else { return }
        hasBegun = true
        exchange.begin(status: 200, headers: .eventStream)
    }

    private func write(_ bytes: ByteBuffer, _ kind: ModernMultiplexer.Kind) {
        switch kind {
        case .notification:
            beginStream()
            exchange.write(ServerSentEvent.encode(bytes, id: nil))
        case .cancellation:
            isDone = true
            guard accept.eventStream else { return exchange.abort() }
            beginStream()
            exchange.write(ServerSentEvent.encode(bytes, id: nil))
            exchange.end()
        case .answer(let isError):
            isDone = true
            if !hasBegun, accept.json {
                let status = isError ? ErrorCode.status(of: ErrorCode.read(Array(bytes.readableBytesView))) : 200
                return exchange.respond(status: status, json: bytes)
            }
            beginStream()
            exchange.write(ServerSentEvent.encode(bytes, id: nil))
            exchange.end()
        }
    }
}
