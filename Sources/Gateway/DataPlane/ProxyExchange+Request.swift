// SPDX-License-Identifier: MIT

import HTTP
import MCPProtocol
import Model
import NIOCore
import RuntimeContract
import Wire

extension ProxyExchange {
    /// The longest body that is kept so that the request can be sent again, or its id be found for an error.
    private static let keptBytes = 64 << 10
    /// The largest piece of a body that is copied to leave with its head in one write.
    private static let copiedBytes = 16 << 10

    /// Looks at the head and decides what can be decided without the body.
    func begin(_ request: RequestView, _ path: AdapterPath) {
        guard let adapter = proxy.table.adapters[path.name] else { return reject(.adapterNotFound) }
        do {
            principal = try proxy.principal(request)
        } catch {
            return reject(.unauthorized)
        }
        guard adapter.route.access.allowsUse(by: principal) else { return reject(.forbidden) }
        self.adapter = adapter
        let target = request.head.target.lowerBound
        query = (target + path.query.lowerBound)..<(target + path.query.upperBound)
        if !query.isEmpty { head = client.headSlice(length: request.head.length) }
        if let length = framing.remainingLength, length > UInt64(proxy.configuration.maximumBodyBytes) {
            return reject(.bodyTooLarge(limitBytes: proxy.configuration.maximumBodyBytes))
        }
        switch path.route {
        case .mcp where adapter.route.transport == .sse:
            // A client that knows one URL only tries POST, sees that it is not taken, and opens the stream with GET.
            if method == .get { beginEventStream(request) } else { reject(.methodNotAllowed(allow: "GET")) }
        case .mcp:
            beginMCP(request)
        case .sse:
            guard adapter.route.transport != .stdio else { return reject(.routeNotFound) }
            guard method == .get else { return reject(.methodNotAllowed(allow: "GET")) }
            beginEventStream(request)
        case .messages:
            guard adapter.route.transport != .stdio else { return reject(.routeNotFound) }
            guard method == .post else { return reject(.methodNotAllowed(allow: "POST")) }
            guard let id = path.sessionID(in: request.slice(request.head.target)) else {
                return reject(.sessionRequired)
            }
            beginBound(request, id, kind: .eventStream)
        }
    }

    private func beginMCP(_ request: RequestView) {
        let headers = RoutingHeaders(request)
        switch method {
        case .get, .delete:
            switch RequestClassifier(headers).classify(method == .get ? .get : .delete) {
            case .legacySession:
                guard case .value(let id) = headers.session else { return reject(.sessionRequired) }
                if method == .delete { purpose = .delete }
                beginBound(request, id, kind: .streamable)
            case .reject(let fault): reject(fault)
            case .legacyInitialize, .legacyStateless, .modern:
                prepareFields(request)
                place(for: .request)
            }
        case .post:
            if case .value(let id) = headers.session, headers.isSurelyLegacy {
                // The server knows what belongs into the session; only its place has to be found.
                mustNotBeBatch = headers.forbidsBatches
                beginBound(request, id, kind: .streamable)
            } else {
                head = client.headSlice(length: request.head.length)
                stage = .inspecting
                scanner = EnvelopeScanner()
                prepareFields(request)
            }
        case .head, .options, .other: reject(.methodNotAllowed(allow: "GET, POST, DELETE"))
        }
    }

    private func beginEventStream(_ request: RequestView) {
        purpose = .eventStream
        prepareFields(request)
        place(for: .session)
    }

    private func beginBound(_ request: RequestView, _ id: UnsafeRawBufferPointer, kind: SessionBinding.Kind) {
        guard let adapter,
            let session = proxy.session(id, adapter: adapter.name, principal: principal.id),
            session.binding.kind == kind
        else { return reject(.sessionNotFound) }
        guard let instance = adapter.instance(of: session.binding) else {
            proxy.endSession(session)
            return reject(.sessionNotFound)
        }
        self.session = session
        prepareFields(request)
        start(instance)
    }

    /// Everything for the instance but the request line, `Host`, and the framing of the body.
    private func prepareFields(_ request: RequestView) {
        fields = client.channel.allocator.buffer(capacity: request.head.length + 512)
        RequestFields.copy(request, into: &fields)
        if forwarded.readableBytes == 0
            || !(request.value(of: .host).map { ByteComparison.isEqual($0, forwardedHost) } ?? true)
        {
            forwardedHost = request.value(of: .host).map { Array($0) } ?? []
            forwarded = RequestFields.forwarded(peer: client.peer, host: forwardedHost)
        }
        fields.writeImmutableBuffer(forwarded)
    }

    // MARK: - The body

    func receive(_ bytes: ByteBuffer, isEnd: Bool) {
        isRequestComplete = isEnd
        switch stage {
        case .forwarding where isCheckedOnTheWay: checkOnTheWay(bytes)
        case .forwarding: forward(bytes)
        case .inspecting: inspect(bytes)
        case .rejecting(let fault): collectForReject(bytes, fault)
        case .idle, .answered: break
        }
    }

    /// Passes on what belongs to a session without looking at it, but for what must not be an array.
    private func forward(_ bytes: ByteBuffer) {
        guard bytes.readableBytes > 0 else { return }
        if mustNotBeBatch {
            if let first = bytes.readableBytesView.first(where: { $0 != 0x20 && $0 != 0x09 && $0 != 0x0A && $0 != 0x0D }
            ) {
                mustNotBeBatch = false
                if first == UInt8(ascii: "["), !framing.isChunked {
                    return replaceByFault(.invalidRequest("batches are not part of this revision"))
                }
            }
        }
        send(bytes)
    }

    private func inspect(_ bytes: ByteBuffer) {
        append(bytes)
        guard body.readableBytes <= proxy.configuration.maximumBodyBytes else {
            return respond(.bodyTooLarge(limitBytes: proxy.configuration.maximumBodyBytes))
        }
        scan(bytes)
        if scanError != nil || isRequestComplete {
            decide()
        } else if body.readableBytes > proxy.configuration.inspectedBytes {
            // The rest flows while it is checked. Where it goes must be known from the head now: a request that begins
            // a session is never this large.
            isCheckedOnTheWay = true
            place(for: .request)
        }
    }

    private func append(_ bytes: ByteBuffer) {
        if body.readableBytes == 0 { body = bytes } else { body.writeImmutableBuffer(bytes) }
    }

    private func scan(_ bytes: ByteBuffer) {
        guard scanError == nil, bytes.readableBytes > 0 else { return }
        do throws(EnvelopeError) {
            try bytes.withUnsafeReadableBytes { chunk throws(EnvelopeError) in try scanner?.consume(chunk) }
        } catch {
            scanError = error
        }
    }

    /// The verdict on a body that was read to its end, or to its first mistake.
    private func verdict() -> RouteVerdict {
        if let scanError { return .reject(.notJSON(scanError)) }
        do throws(EnvelopeError) {
            guard let envelope = try scanner?.finish() else { return .reject(.sessionRequired) }
            self.envelope = envelope
        } catch {
            return .reject(.notJSON(error))
        }
        guard let envelope else { return .reject(.sessionRequired) }
        return head.withUnsafeReadableBytes { bytes in
            guard let view = proxy.view(of: bytes) else {
                return .reject(.malformedHTTP("the head can't be read again"))
            }
            return RequestClassifier(RoutingHeaders(view)).classify(envelope)
        }
    }

    private func decide() {
        switch verdict() {
        case .reject(let fault): respond(fault)
        case .legacyInitialize:
            purpose = .initialize
            place(for: .session)
        case .legacyStateless: place(for: .request)
        case .modern:
            purpose = .modern
            place(for: .request)
        case .legacySession: beginSessionLate()
        }
    }

    /// A session's request whose version header was not one that is surely legacy.
    private func beginSessionLate() {
        let session: BoundSession? = head.withUnsafeReadableBytes { bytes in
            guard let adapter, let id = proxy.view(of: bytes)?.value(of: .mcpSessionID) else { return nil }
            return proxy.session(id, adapter: adapter.name, principal: principal.id)
        }
        guard let session, session.binding.kind == .streamable, let instance = adapter?.instance(of: session.binding)
        else { return respond(.sessionNotFound) }
        self.session = session
        start(instance)
    }

    private func checkOnTheWay(_ bytes: ByteBuffer) {
        scan(bytes)
        let held = body
        body = bytes
        if scanError == nil, !isRequestComplete {
            if held.readableBytes > 0 { send(chunk(held)) }
            return
        }
        if case .reject(let fault) = verdict() { return replaceByFault(fault) }
        if held.readableBytes > 0 { send(chunk(held)) }
        if body.readableBytes > 0 { send(chunk(body)) }
        body = ByteBuffer()
        if framing.isChunked { send(ByteBuffer(staticString: "0\r\n\r\n")) }
    }

    /// A piece of a body in chunks, in one chunk; of another body as it is.
    private func chunk(_ bytes: ByteBuffer) -> ByteBuffer {
        framing.isChunked ? ChunkCoding.chunk(bytes, allocator: client.channel.allocator) : bytes
    }

    private func collectForReject(_ bytes: ByteBuffer, _ fault: GatewayFault) {
        append(bytes)
        if isRequestComplete || body.readableBytes > Self.keptBytes { respond(fault) }
    }

    // MARK: - To the instance

    /// Chooses an instance for what is bound to none.
    func place(for purpose: Placement.Purpose) {
        guard let adapter,
            let candidate = Placement.choose(
                for: purpose, among: adapter.candidates, tried: tried, using: &proxy.random),
            let instance = adapter.instance(candidate)
        else { return reject(.unavailable(retryAfterSeconds: 1)) }
        start(instance)
    }

    /// Sends the request to `instance`, with what has arrived of its body.
    func start(_ instance: InstanceTarget) {
        self.instance = instance
        stage = .forwarding
        isCounted = true
        instance.load.beginRequest()
        if purpose == .initialize || purpose == .eventStream {
            expectsSession = true
            instance.load.expectSession()
        }
        if let session, let adapter { proxy.register(session, adapter, instance)?.enter(at: proxy.now) }
        outgoing = requestHead(instance)
        let pool = proxy.pool(instance.endpoint.endpoint)
        if !hasRetried, let connection = pool.take() {
            upstream = connection
            // The head leaves with the first bytes of the body, which nearly always came with it.
            if framing.isComplete || isRequestComplete { flushOutgoing() }
        } else {
            upstream = pool.connect(for: self)
        }
        if body.readableBytes > 0, !isCheckedOnTheWay {
            let collected = body
            body = ByteBuffer()
            send(collected)
        }
    }

    private func requestHead(_ instance: InstanceTarget) -> ByteBuffer {
        let expected = min(framing.remainingLength.map(Int.init(clamping:)) ?? 0, Self.copiedBytes)
        var buffer = client.channel.allocator.buffer(capacity: fields.readableBytes + expected + 512)
        buffer.writeStaticString(method == .get ? "GET " : method == .delete ? "DELETE " : "POST ")
        if let session, session.binding.kind == .eventStream {
            buffer.writeBytes(session.binding.upstream)
        } else {
            let route = adapter?.route
            buffer.writeString((purpose == .eventStream ? route?.ssePath : route?.path) ?? "/")
            if !query.isEmpty { writeQuery(into: &buffer) }
        }
        buffer.writeStaticString(" HTTP/1.1\r\nHost: ")
        buffer.writeBytes(instance.host)
        buffer.writeStaticString("\r\n")
        buffer.writeImmutableBuffer(fields)
        if let session, session.binding.kind == .streamable {
            buffer.writeStaticString("Mcp-Session-Id: ")
            buffer.writeBytes(session.binding.upstream)
            buffer.writeStaticString("\r\n")
        }
        if adapter?.route.transport == .stdio {
            buffer.writeStaticString("MCP-Gateway-Principal: ")
            RequestFields.writeHexadecimal(principal.id, into: &buffer)
            buffer.writeStaticString("\r\n")
        }
        if framing.isChunked {
            if isRequestComplete, !isCheckedOnTheWay, stageHadPayload {
                buffer.writeString("Content-Length: \(body.readableBytes)\r\n")
            } else {
                buffer.writeStaticString("Transfer-Encoding: chunked\r\n")
            }
        } else if let length = framing.remainingLength, length > 0 || method == .post {
            buffer.writeStaticString("Content-Length: ")
            RequestFields.writeDecimal(length, into: &buffer)
            buffer.writeStaticString("\r\n")
        }
        buffer.writeStaticString("\r\n")
        return buffer
    }

    /// Whether ``body`` holds payload, not chunks: only a request without a surely legacy session is read.
    private var stageHadPayload: Bool { scanner != nil }

    private func writeQuery(into buffer: inout ByteBuffer) {
        guard head.readableBytes >= query.upperBound else { return }
        let view = head.readableBytesView
        buffer.writeBytes(view[(view.startIndex + query.lowerBound)..<(view.startIndex + query.upperBound)])
    }

    /// Sends bytes of the body, or keeps them until there is a connection.
    private func send(_ bytes: ByteBuffer) {
        if outgoing.readableBytes > 0 {
            if let upstream, upstream.isOpen {
                // Copying a small body behind the head is cheaper than a second system call; a large one is not copied.
                if bytes.readableBytes <= Self.copiedBytes { outgoing.writeImmutableBuffer(bytes) }
                flushOutgoing()
                if bytes.readableBytes > Self.copiedBytes { upstream.write(bytes) }
                return
            }
            outgoing.writeImmutableBuffer(bytes)
            if upstream == nil {
                return
            } else if outgoing.readableBytes > proxy.configuration.inspectedBytes {
                client.pauseReading(true)
            }
            return
        }
        upstream?.write(bytes)
        if let upstream, !upstream.isWritable { client.pauseReading(true) }
    }

    private func flushOutgoing() {
        guard let upstream else { return }
        let bytes = outgoing
        outgoing = ByteBuffer()
        let bodyLength = framing.remainingLength.map(Int.init(clamping:)) ?? .max
        let isWhole = isRequestComplete && (bodyLength <= Self.copiedBytes || bytes.readableBytes > bodyLength)
        replay = isWhole && bytes.readableBytes <= Self.keptBytes ? bytes : nil
        upstream.begin(bytes, for: self)
        if !upstream.isWritable { client.pauseReading(true) }
    }

    func upstreamConnected(_ connection: UpstreamConnection) {
        if outgoing.readableBytes > 0 { flushOutgoing() }
        client.pauseReading(false)
        if !isRequestComplete { client.sendContinueIfAwaited() }
    }

    func upstreamWritabilityChanged(isWritable: Bool) {
        client.pauseReading(!isWritable)
    }

    /// Nothing was sent, so another instance may take what is not bound to this one.
    func upstreamConnectFailed() {
        guard let instance else { return }
        let bound = session != nil
        tried.append(instance.endpoint.id)
        release(instance)
        upstream = nil
        guard !bound, !isCheckedOnTheWay else { return reject(.unavailable(retryAfterSeconds: 1)) }
        // What of the body is here waits behind the head in `outgoing`; the next head goes in front of it.
        keepCollectedBody()
        place(for: purpose == .initialize || purpose == .eventStream ? .session : .request)
    }

    private func keepCollectedBody() {
        guard let end = outgoing.readableBytesView.firstRange(of: Array("\r\n\r\n".utf8))?.upperBound else { return }
        outgoing.moveReaderIndex(to: end)
        body = outgoing
        outgoing = ByteBuffer()
    }

    /// Takes the request off `instance` again.
    func release(_ instance: InstanceTarget) {
        settleSession()
        if isCounted {
            isCounted = false
            instance.load.endRequest()
            session?.entry?.leave(at: proxy.now)
        }
        self.instance = nil
    }

    /// Sends the whole request once more on a fresh connection.
    func sendAgain(_ bytes: ByteBuffer, to instance: InstanceTarget) {
        hasRetried = true
        replay = nil
        outgoing = bytes
        upstream = proxy.pool(instance.endpoint.endpoint).connect(for: self)
    }
}

extension RoutingHeaders {
    /// The routing fields of a head.
    init(_ request: RequestView) {
        self.init()
        for line in request.lines {
            switch line.name {
            case .mcpProtocolVersion: Self.note(&protocolVersion, request.slice(line.value))
            case .mcpMethod: Self.note(&method, request.slice(line.value))
            case .mcpName: Self.note(&name, request.slice(line.value))
            case .mcpSessionID: Self.note(&session, request.slice(line.value))
            default: break
            }
        }
    }

    private static func note(_ header: inout RoutingHeader, _ value: UnsafeRawBufferPointer) {
        if case .absent = header { header = .value(value) } else { header = .repeated }
    }

    /// Whether the version header leaves no doubt that the body needs not be read: absent, or of the years in which every
    /// revision had the handshake.
    var isSurelyLegacy: Bool {
        switch protocolVersion {
        case .absent: true
        case .repeated: false
        case .value(let text):
            text.count == 10 && (ByteComparison.hasPrefix(text, "2025-") || ByteComparison.hasPrefix(text, "2024-"))
        }
    }

    /// Whether the revision in the version header has no batches: 2025-06-18 and later.
    var forbidsBatches: Bool {
        guard case .value(let text) = protocolVersion else { return false }
        return ByteComparison.isEqual(text, "2025-06-18") || ByteComparison.isEqual(text, "2025-11-25")
    }
}
