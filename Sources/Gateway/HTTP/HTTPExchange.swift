// SPDX-License-Identifier: MIT

public import NIOCore

/// One collected request and its answer, on the connection's loop.
///
/// Never made for a proxied request. An answer is either one ``respond(status:headers:body:)`` or a
/// ``begin(status:headers:)``, any number of ``write(_:)`` and an ``end()``. After the client is gone everything written
/// is dropped silently.
public final class HTTPExchange {
    /// The connection.
    public let connection: ClientLeg
    /// Called when ``isWritable`` has changed.
    public var onWritabilityChanged: (() -> Void)?
    /// Called once when the client goes away before the answer has ended.
    public var onClientGone: (() -> Void)?
    /// Called when an answer that would not end by itself is to end now; see ``isEndless``.
    public var onDrain: (() -> Void)?
    /// Whether the body that was begun would go on for ever; set it after ``begin(status:headers:)``.
    ///
    /// Such an answer ends in good order when the server stops, and when the client closes its sending side: there may
    /// be nobody any more who could close the rest.
    public var isEndless = false {
        didSet { if isEndless, connection.context.isDraining { drain() } }
    }

    private enum State {
        case waiting
        case streaming(Framing)
        case ended
        case gone
    }

    /// How the client learns where a body ends that comes piece by piece.
    private enum Framing {
        /// There is none.
        case none
        case chunked
        /// The connection ends with it: HTTP/1.0 knows no chunks.
        case untilClose
    }

    private let isHead: Bool
    private let isHTTP11: Bool
    private var state = State.waiting
    private var closes = false
    private var isEventStream = false

    /// The exchange for the request that is being routed on `connection`.
    init(connection: ClientLeg, isHead: Bool, isHTTP11: Bool) {
        self.connection = connection
        self.isHead = isHead
        self.isHTTP11 = isHTTP11
    }

    /// The loop that everything happens on.
    public var eventLoop: any EventLoop { connection.eventLoop }
    /// Whether what is written leaves soon; otherwise wait for ``onWritabilityChanged``.
    public var isWritable: Bool { connection.isWritable }
    /// Whether an answer, or more of it, still finds its client.
    public var isOpen: Bool {
        switch state {
        case .waiting, .streaming: true
        case .ended, .gone: false
        }
    }
    /// Whether the client takes the pieces of the body that was begun; not after a HEAD.
    public var takesBody: Bool {
        switch state {
        case .streaming(.chunked), .streaming(.untilClose): true
        case .streaming(.none), .waiting, .ended, .gone: false
        }
    }

    /// The whole answer.
    public func respond(status: Int, headers: HTTPHeaders = HTTPHeaders(), body: ByteBuffer = ByteBuffer()) {
        guard case .waiting = state else { return }
        state = .ended
        closes = connection.closesAfterAnswer
        let hasBody = Self.mayHaveBody(status)
        var buffer = connection.channel.allocator.buffer(capacity: 320 + body.readableBytes)
        writeHead(status, headers, into: &buffer)
        if hasBody { buffer.writeString("Content-Length: \(body.readableBytes)\r\n") }
        buffer.writeStaticString("\r\n")
        if hasBody, !isHead { buffer.writeImmutableBuffer(body) }
        connection.write(buffer)
        finish()
    }

    /// The head of an answer whose body comes piece by piece.
    public func begin(status: Int, headers: HTTPHeaders = HTTPHeaders()) {
        guard case .waiting = state else { return }
        let hasBody = Self.mayHaveBody(status)
        let framing: Framing = !hasBody || isHead ? .none : isHTTP11 ? .chunked : .untilClose
        state = .streaming(framing)
        closes = connection.closesAfterAnswer || !isHTTP11
        isEventStream = headers["Content-Type"]?.hasPrefix("text/event-stream") ?? false
        connection.clearDeadline()
        var buffer = connection.channel.allocator.buffer(capacity: 320)
        writeHead(status, headers, into: &buffer)
        // The answer to a HEAD says what the one to a GET would say.
        if hasBody, isHTTP11 { buffer.writeStaticString("Transfer-Encoding: chunked\r\n") }
        buffer.writeStaticString("\r\n")
        connection.write(buffer)
    }

    /// A piece of the body; of an event stream whole events.
    public func write(_ bytes: ByteBuffer) {
        guard case .streaming(let framing) = state, bytes.readableBytes > 0 else { return }
        switch framing {
        case .none: return
        case .untilClose: connection.write(bytes)
        case .chunked:
            var buffer = connection.channel.allocator.buffer(capacity: bytes.readableBytes + 12)
            buffer.writeString(String(bytes.readableBytes, radix: 16))
            buffer.writeStaticString("\r\n")
            buffer.writeImmutableBuffer(bytes)
            buffer.writeStaticString("\r\n")
            connection.write(buffer)
        }
    }

    /// The end of a body that was begun.
    public func end() {
        guard case .streaming(let framing) = state else { return }
        state = .ended
        if case .chunked = framing { connection.write(ByteBuffer(staticString: "0\r\n\r\n")) }
        finish()
    }

    /// Breaks the connection off, so that the client sees an answer that is not whole.
    public func abort() {
        guard isOpen else { return }
        state = .gone
        release()
        connection.abort()
    }

    /// The client went away; without effect after the end of the answer.
    func clientGone() {
        guard isOpen else { return }
        state = .gone
        let callback = onClientGone
        release()
        callback?()
    }

    /// The server is stopping.
    func drain() {
        if isOpen, isEndless { onDrain?() }
    }

    /// The client sends nothing more; it may have gone.
    func inputClosed() {
        // A comment that nobody is there to take resets the connection.
        if isEventStream { write(ByteBuffer(staticString: ":\n\n")) } else { drain() }
    }

    private func finish() {
        release()
        connection.finishAnswer(keepAlive: !closes)
    }

    /// The callbacks hold their owner, who often holds the exchange.
    private func release() {
        onWritabilityChanged = nil
        onClientGone = nil
        onDrain = nil
    }

    /// RFC 9110 §6.4.1; an interim answer has none either.
    private static func mayHaveBody(_ status: Int) -> Bool { status >= 200 && status != 204 && status != 304 }

    private func writeHead(_ status: Int, _ headers: HTTPHeaders, into buffer: inout ByteBuffer) {
        ResponseHeadWriter.begin(status: status, into: &buffer)
        if headers["Date"] == nil { ResponseHeadWriter.field("Date", connection.context.date, into: &buffer) }
        for field in headers.fields { ResponseHeadWriter.field(field.name, field.value, into: &buffer) }
        if closes {
            buffer.writeStaticString("Connection: close\r\n")
        } else if !isHTTP11 {
            buffer.writeStaticString("Connection: keep-alive\r\n")
        }
    }
}
