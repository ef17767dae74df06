// SPDX-License-Identifier: MIT

import NIOCore

/// The bytes of server-sent events, as the bridge writes them (HTML, Server-sent events).
enum ServerSentEvent {
    /// How long a client waits before it asks for a broken stream again, in milliseconds.
    static let retryMilliseconds = 1000

    /// A comment, which every reader ignores: shows that both ends are alive.
    static let keepAlive = ByteBuffer(string: ":\n\n")

    /// An event with a message, which is one line; with an identifier where the stream can be resumed.
    static func encode(_ message: ByteBuffer, id: EventID?) -> ByteBuffer {
        var bytes = ByteBufferAllocator().buffer(capacity: message.readableBytes + 64)
        bytes.writeStaticString("event: message\n")
        if let id { bytes.writeString("id: \(id.text)\n") }
        bytes.writeStaticString("data: ")
        bytes.writeImmutableBuffer(message)
        bytes.writeStaticString("\n\n")
        return bytes
    }

    /// The event that opens a stream: an identifier to resume from, and no message (MCP 2025-11-25).
    static func prime(_ id: EventID) -> ByteBuffer {
        ByteBuffer(string: "id: \(id.text)\nretry: \(retryMilliseconds)\ndata: \n\n")
    }

    /// The bytes of what a log hands out.
    static func encode(_ delivery: StreamLog.Delivery) -> ByteBuffer {
        guard let message = delivery.message else { return prime(delivery.id) }
        return encode(message, id: delivery.id)
    }
}
