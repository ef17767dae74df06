// SPDX-License-Identifier: MIT

import HTTP
import NIOCore

/// The connection that takes the events of one stream.
final class StreamReader {
    /// How the events are written.
    enum Kind {
        /// As they come, as server-sent events.
        case eventStream
        /// The only one, the answer, as the JSON body.
        case json
        /// All of them, answers to a batch, as a JSON array.
        case jsonArray
    }

    /// The connection's request.
    let exchange: HTTPExchange
    /// How the events are written.
    let kind: Kind
    /// When the connection last took something, or had nothing to take.
    private(set) var lastProgress = NIODeadline.now()

    private var answers: [ByteBuffer] = []
    private var lastWrite = NIODeadline.now()

    /// A reader that has read nothing.
    init(_ exchange: HTTPExchange, kind: Kind) {
        self.exchange = exchange
        self.kind = kind
    }

    /// Whether another event may be written now.
    var canTake: Bool { kind != .eventStream || exchange.isWritable }

    /// Writes what comes before the first event.
    func begin() {
        guard kind == .eventStream else { return }
        exchange.begin(status: 200, headers: .eventStream)
    }

    /// Takes an event.
    func write(_ delivery: StreamLog.Delivery) {
        lastProgress = .now()
        lastWrite = lastProgress
        switch kind {
        case .eventStream: exchange.write(ServerSentEvent.encode(delivery))
        case .json, .jsonArray: if let message = delivery.message { answers.append(message) }
        }
    }

    /// Writes what is left, after the last event; `status` is that of an answer that has not begun.
    func end(status: Int = 200) {
        switch kind {
        case .eventStream: exchange.end()
        case .json: exchange.respond(status: status, json: answers.first ?? ByteBuffer())
        case .jsonArray:
            var array = ByteBuffer(string: "[")
            for (index, answer) in answers.enumerated() {
                if index > 0 { array.writeStaticString(",") }
                array.writeImmutableBuffer(answer)
            }
            array.writeStaticString("]")
            exchange.respond(status: status, json: array)
        }
    }

    /// Writes a comment when nothing was written for `interval`.
    func keepAlive(_ now: NIODeadline, interval: TimeAmount) {
        guard kind == .eventStream, lastWrite + interval <= now, exchange.isWritable else { return }
        lastWrite = now
        lastProgress = now
        exchange.write(ServerSentEvent.keepAlive)
    }
}
