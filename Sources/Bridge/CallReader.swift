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
    /// Whether the answer is a stream, and has begun.
    private(set) var hasBegun = false
    private var queue = CircularBuffer<(bytes: ByteBuffer, kind: ModernMultiplexer.Kind)>()
    private var lastProgress = NIODeadline.now()

    /// The bytes that the connection has not taken.
    private(set) var pendingBytes = 0
    /// Whether the last message was written.
    private(set) var isDone = false

    /// A reader that has read nothing.
    init(_ exchange: HTTPExchange, accept: AcceptHeader) {
        self.exchange = exchange
        self.accept = accept
    }

    /// Takes a message of the child, to be written by ``flush(force:)``.
    func add(_ bytes: ByteBuffer, _ kind: ModernMultiplexer.Kind) {
        guard accept.eventStream || kind != .notification else { return }
        queue.append((bytes, kind))
        pendingBytes += bytes.readableBytes
    }

    /// Writes what the connection takes, or all with `force`.
    func flush(force: Bool) {
        while !isDone, let next = queue.first, force || !hasBegun || exchange.isWritable {
            queue.removeFirst()
            pendingBytes -= next.bytes.readableBytes
            lastProgress = .now()
            write(next.bytes, next.kind)
        }
    }

    /// Ends the request with an error of our own; does nothing when the answer is here and just not taken yet.
    func fail(_ error: ByteBuffer) {
        flush(force: true)
        guard !isDone else { return }
        guard hasBegun || !accept.json else {
            isDone = true
            return exchange.respond(status: 502, json: error)
        }
        finish(error)
    }

    /// Ends a stream with an answer of our own, or breaks it off without one.
    func finish(_ answer: ByteBuffer?) {
        flush(force: true)
        guard !isDone else { return }
        isDone = true
        guard let answer else { return exchange.abort() }
        beginStream()
        exchange.write(ServerSentEvent.encode(answer, id: nil))
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
