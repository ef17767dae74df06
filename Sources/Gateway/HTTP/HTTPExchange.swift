// SPDX-License-Identifier: MIT

public import NIOCore

/// One collected request and its answer, on the connection's loop.
///
/// Never made for a proxied request.
///
/// An answer is either one ``respond(_:body:)`` or a ``begin(status:headers:)``, any number of ``write(_:)`` and an
/// ``end()``. After the client is gone everything written is dropped silently.
public final class HTTPExchange {
    /// The connection.
    public let connection: HTTPServerConnection
    /// Called when ``isWritable`` has changed.
    public var onWritabilityChanged: (() -> Void)?
    /// Called once when the client goes away before the answer has ended.
    public var onClientGone: (() -> Void)?

    private enum State {
        case waiting
        case streaming
        case ended
        case gone
    }

    private let isHead: Bool
    private let isHTTP11: Bool
    private var state = State.waiting

    init(connection: HTTPServerConnection, isHead: Bool, isHTTP11: Bool) {
        self.connection = connection
        self.isHead = isHead
        self.isHTTP11 = isHTTP11
    }

    /// The loop that everything happens on.
    public var eventLoop: any EventLoop { connection.eventLoop }
    /// Whether what is written leaves soon; otherwise wait for ``onWritabilityChanged``.
    public var isWritable: Bool { connection.isWritable }
    /// Whether an answer, or more of it, still finds its client.
    public var isOpen: Bool { state == .waiting || state == .streaming }

    /// The whole answer.
    public func respond(status: Int, headers: HTTPHeaders = HTTPHeaders(), body: ByteBuffer = ByteBuffer()) {
        guard state == .waiting else { return }
        state = .ended
        var buffer = connection.channel.allocator.buffer(capacity: 256 + body.readableBytes)
        writeHead(status, headers, into: &buffer)
        if status != 204, status != 304, status >= 200 {
            buffer.writeString("Content-Length: \(body.readableBytes)\r\n")
        }
        buffer.writeStaticString("\r\n")
        if !isHead { buffer.writeImmutableBuffer(body) }
        connection.write(buffer)
        finish()
    }

    /// The head of an answer whose body comes piece by piece.
    public func begin(status: Int, headers: HTTPHeaders = HTTPHeaders()) {
        guard state == .waiting else { return }
        state = .streaming
        connection.clearDeadline()
        var buffer = connection.channel.allocator.buffer(capacity: 256)
        writeHead(status, headers, into: &buffer, closes: !isHTTP11)
        if isHTTP11 { buffer.writeStaticString("Transfer-Encoding: chunked\r\n") }
        buffer.writeStaticString("\r\n")
        connection.write(buffer)
    }

    /// A piece of the body.
    public func write(_ bytes: ByteBuffer) {
        guard state == .streaming, bytes.readableBytes > 0, !isHead else { return }
        guard isHTTP11 else { return connection.write(bytes) }
        var buffer = connection.channel.allocator.buffer(capacity: bytes.readableBytes + 12)
        buffer.writeString(String(bytes.readableBytes, radix: 16))
        buffer.writeStaticString("\r\n")
        buffer.writeImmutableBuffer(bytes)
        buffer.writeStaticString("\r\n")
        connection.write(buffer)
    }

    /// The end of a body that was begun.
    public func end() {
        guard state == .streaming else { return }
        state = .ended
        if isHTTP11, !isHead { connection.write(ByteBuffer(staticString: "0\r\n\r\n")) }
        finish()
    }

    /// Breaks the connection off, so that the client sees an answer that is not whole.
    public func abort() {
        guard isOpen else { return }
        state = .gone
        release()
        connection.abort()
    }

    func clientGone() {
        guard isOpen else { return }
        state = .gone
        let callback = onClientGone
        release()
        callback?()
    }

    private func finish() {
        release()
        connection.finishAnswer(keepAlive: isHTTP11)
    }

    /// The callbacks hold their owner, who often holds the exchange.
    private func release() {
        onWritabilityChanged = nil
        onClientGone = nil
    }

    private func writeHead(_ status: Int, _ headers: HTTPHeaders, into buffer: inout ByteBuffer, closes: Bool = false) {
        ResponseHeadWriter.begin(status: status, into: &buffer)
        for field in headers.fields { ResponseHeadWriter.field(field.name, field.value, into: &buffer) }
        if closes || !isHTTP11 || connection.closesAfterAnswer { buffer.writeStaticString("Connection: close\r\n") }
    }
}
