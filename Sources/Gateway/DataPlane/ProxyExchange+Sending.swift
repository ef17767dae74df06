// SPDX-License-Identifier: MIT

import HTTP
import MCPProtocol
import Model
import NIOCore
import RuntimeContract
import Wire

extension ProxyExchange {
    /// The longest body that is kept so that the request can be sent again, or its id be found for an error.
    static let keptBytes = 64 << 10
    /// The largest piece of a body that is copied to leave with its head in one write.
    private static let copiedBytes = 16 << 10

    // MARK: - The instance

    /// Sends the request to `instance`, with what has arrived of its body.
    ///
    /// - Parameter request: The head while it is being routed; otherwise its lines were kept in ``fields``.
    func start(_ instance: InstanceTarget, _ request: RequestView? = nil) {
        self.instance = instance
        if case .waiting = stage {
            proxy.loop.sweep.remove(self)
            client.pauseReading(false)
        }
        stage = .forwarding
        isCounted = instance.load.beginRequest()
        guard isCounted else { return missed(instance) }
        if purpose == .initialize || purpose == .eventStream {
            expectsSession = true
            instance.load.expectSession()
        }
        if let session, let adapter {
            entry = proxy.register(session, adapter, instance)
            entry?.enter(at: proxy.now)
        }
        if case .none = bodyCoding { chooseCoding() }
        outgoingHead = HeldBytes(requestHead(instance, request))
        // Only its query may be asked for again, and what is checked on its way.
        if query.isEmpty, !isCheckedOnTheWay { head.clear() }
        if !isCheckedOnTheWay, !body.isEmpty {
            outgoingBody = body
            body.clear()
        }
        connect(to: instance, mayReuse: true)
    }

    /// The instance was parked at this very moment; nothing was sent to it.
    private func missed(_ instance: InstanceTarget) {
        release(instance)
        if session == nil { return place(for: placementPurpose) }
        if recoverUnsent() { return }
        reject(.unavailable(retryAfterSeconds: 1))
    }

    func connect(to instance: InstanceTarget, mayReuse: Bool) {
        let pool = proxy.pool(instance)
        if mayReuse, let connection = pool.take(for: self) {
            upstream = connection
            if session?.memory != nil { return holdBack(connection) }
            // The head leaves with the first bytes of the body, which nearly always came with it.
            if isRequestComplete || !outgoingBody.isEmpty { flush() }
        } else {
            let connection = pool.makeConnection(for: self)
            upstream = connection
            // May call back before it returns: nothing may follow.
            pool.open(connection)
        }
    }

    /// Takes the request off `instance` again.
    func release(_ instance: InstanceTarget) {
        abandonTrial()
        settleSession()
        if isCounted {
            isCounted = false
            instance.load.endRequest()
        }
        entry?.leave(at: proxy.now)
        entry = nil
        self.instance = nil
    }

    // MARK: - The head

    private func chooseCoding() {
        if let length = framing.remainingLength {
            bodyCoding = .length(Int(clamping: length))
        } else if isRequestComplete {
            bodyCoding = .length(body.count)
        } else {
            bodyCoding = .chunks
        }
    }

    private func requestHead(_ instance: InstanceTarget, _ request: RequestView?) -> ByteBuffer {
        let expected: Int =
            if case .length(let length) = bodyCoding, length <= Self.copiedBytes { length } else { 0 }
        var buffer = client.channel.allocator.buffer(
            capacity: (request?.head.length ?? fields.count) + expected + 512)
        if method == .post, query.isEmpty, purpose != .eventStream, session?.binding.kind != .eventStream {
            buffer.writeBytes(instance.postLines)
        } else {
            writeRequestLine(instance, into: &buffer)
        }
        if let request { writeFields(of: request, into: &buffer) } else { buffer.writeCopy(of: fields.bytes) }
        if let session, session.binding.kind == .streamable {
            buffer.writeLine("Mcp-Session-Id: ", session.binding.upstream)
        }
        if let adapter, !adapter.secretLines.isEmpty { buffer.writeBytes(adapter.secretLines) }
        if adapter?.route.transport == .stdio {
            buffer.writeStaticString("MCP-Gateway-Principal: ")
            RequestFields.writeHexadecimal(principal.id, into: &buffer)
            buffer.writeStaticString("\r\n")
        }
        switch bodyCoding {
        case .chunks: buffer.writeStaticString("Transfer-Encoding: chunked\r\n")
        case .length(let length) where length > 0 || method == .post:
            buffer.writeLine("Content-Length: ", UInt64(length))
        case .length, .none: break
        }
        buffer.writeStaticString("\r\n")
        return buffer
    }

    private func writeRequestLine(_ instance: InstanceTarget, into buffer: inout ByteBuffer) {
        buffer.writeStaticString(method == .get ? "GET " : method == .delete ? "DELETE " : "POST ")
        if let session, session.binding.kind == .eventStream {
            buffer.writeBytes(session.binding.upstream)
        } else {
            let route = adapter?.route
            buffer.writeString((purpose == .eventStream ? route?.ssePath : route?.path) ?? "/")
            if !query.isEmpty { writeQuery(into: &buffer) }
        }
        buffer.writeStaticString(" HTTP/1.1\r\n")
        buffer.writeLine("Host: ", instance.host)
    }

    private func writeQuery(into buffer: inout ByteBuffer) {
        guard head.count >= query.upperBound else { return }
        head.withUnsafeReadableBytes { _ = buffer.writeBytes(UnsafeRawBufferPointer(rebasing: $0[query])) }
    }

    // MARK: - The body

    /// Sends a piece of the body, or keeps it until there is a connection.
    func sendPayload(_ payload: ByteBuffer) {
        guard payload.readableBytes > 0 else { return }
        send(bodyCoding.isChunks ? ChunkCoding.chunk(payload, allocator: client.channel.allocator) : payload)
    }

    /// Sends what ends the body, if it is complete.
    func sendEnd() {
        guard isRequestComplete, stage.isForwarding else { return }
        if bodyCoding.isChunks {
            send(ByteBuffer(staticString: ChunkCoding.end))
        } else if !outgoingHead.isEmpty, upstream?.isOpen ?? false {
            flush()
        }
    }

    private func send(_ bytes: ByteBuffer) {
        guard stage.isForwarding else { return }
        guard let upstream, upstream.isOpen else {
            outgoingBody.append(bytes)
            if outgoingBody.count > proxy.configuration.inspectedBytes { client.pauseReading(true) }
            return
        }
        guard outgoingHead.isEmpty else {
            if outgoingBody.isEmpty, !isHeldBack { return flush(bytes) }
            outgoingBody.append(bytes)
            return flush()
        }
        noteSent(bytes)
        upstream.write(bytes)
        pauseIfNeeded(upstream)
    }

    /// Sends the head and what waits of the body.
    func flush() {
        if !isHeldBack { flush(outgoingBody.take()) }
    }

    /// Sends the head and `body`.
    private func flush(_ body: ByteBuffer?) {
        guard let upstream, var first = outgoingHead.take() else { return }
        sentHeadLength = first.readableBytes
        keepsSent = true
        // Copying a small body behind the head is cheaper than a second system call; a large one is not copied.
        if let body, body.readableBytes > Self.copiedBytes {
            sent = HeldBytes(first)
            noteSent(body)
            upstream.begin(first)
            if self.upstream === upstream { upstream.write(body) }
        } else {
            if let body { first.writeCopy(of: body) }
            sent = HeldBytes(first)
            upstream.begin(first)
        }
        pauseIfNeeded(upstream)
    }

    /// A write may end the connection, and with it the exchange, before it returns.
    private func pauseIfNeeded(_ upstream: UpstreamConnection) {
        guard self.upstream === upstream, !upstream.isWritable else { return }
        // An instance that has answered and reads no more wants no more.
        if isAnsweredEarly { finish() } else { client.pauseReading(true) }
    }

    private func noteSent(_ bytes: ByteBuffer) {
        guard keepsSent, bytes.readableBytes > 0 else { return }
        guard sentRest.count + bytes.readableBytes <= Self.keptBytes else { return forgetSent() }
        sentRest.append(bytes)
    }

    /// What was sent of the body.
    var sentBody: HeldBytes {
        let first = sent.bytes
        var body = HeldBytes()
        if let part = first.getSlice(
            at: first.readerIndex + sentHeadLength, length: first.readableBytes - sentHeadLength)
        {
            body.append(part)
        }
        body.append(sentRest.bytes)
        return body
    }
}
