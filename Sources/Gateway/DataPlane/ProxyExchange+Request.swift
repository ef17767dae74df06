// SPDX-License-Identifier: MIT

import HTTP
import MCPProtocol
import Model
import NIOCore
import RuntimeContract
import Wire

extension ProxyExchange {
    /// Looks at the head and decides what can be decided without the body.
    func begin(_ request: RequestView, _ path: AdapterPath, sender: Sender) {
        switch sender {
        case .success(let principal): self.principal = principal
        // Strangers are not told which adapters there are.
        case .failure(let error): return reject(proxy.fault(error, path))
        }
        guard let adapter = proxy.table.adapters[path.name] else {
            // A 404 would make clients give up their sessions while this gateway is only starting.
            return reject(proxy.table.isKnown ? .adapterNotFound : .unavailable(retryAfterSeconds: 1))
        }
        guard adapter.route.access.allowsUse(by: principal) else { return reject(.forbidden) }
        self.adapter = adapter
        let target = request.head.target.lowerBound
        query = (target + path.query.lowerBound)..<(target + path.query.upperBound)
        if !query.isEmpty { holdHead(request) }
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
            guard method == .delete || countStream() else { return reject(Self.tooManyStreams) }
            switch RequestClassifier(headers, policy: adapter?.policy ?? RoutePolicy()).classify(
                method == .get ? .get : .delete)
            {
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
            if case .value(let id) = headers.session, headers.isSurelyLegacy, !(adapter?.policy.isModernOnly ?? false) {
                // The server knows what belongs into the session; only its place has to be found.
                mustNotBeBatch = headers.forbidsBatches
                beginBound(request, id, kind: .streamable)
            } else {
                holdHead(request)
                routing = RoutingFieldPlaces(request)
                stage = .inspecting
                inspection = BodyInspection()
                prepareFields(request)
            }
        case .head, .options, .other: reject(.methodNotAllowed(allow: "GET, POST, DELETE"))
        }
    }

    /// Keeps the head beyond this call; of a request that had to wait it is kept already.
    private func holdHead(_ request: RequestView) {
        if head.isEmpty { head = HeldBytes(client.headSlice(length: request.head.length)) }
    }

    private func beginEventStream(_ request: RequestView) {
        guard countStream() else { return reject(Self.tooManyStreams) }
        purpose = .eventStream
        prepareFields(request)
        place(for: .session)
    }

    /// A principal's streams end when its clients want it, so there is no telling when one more may begin.
    private static let tooManyStreams = GatewayFault.tooManyRequests(retryAfterSeconds: 5)

    /// Counts the request among the streams of its principal that stand open, until ``clear()``.
    ///
    /// - Returns: whether there may be one more.
    private func countStream() -> Bool {
        isCountedAsStream = proxy.standing.begin(principal.id)
        return isCountedAsStream
    }

    private func beginBound(_ request: RequestView, _ id: UnsafeRawBufferPointer, kind: SessionBinding.Kind) {
        guard let adapter,
            let session = proxy.session(id, adapter: adapter.name, principal: principal.id),
            session.binding.kind == kind
        else { return reject(.sessionNotFound) }
        guard !proxy.hasEnded(session) else { return reject(.sessionNotFound) }
        if adapter.route.recovery != .none, beginRecovery(of: session, adapter, request) { return }
        guard let instance = adapter.instance(of: session.binding) else { return reject(absence(of: session, adapter)) }
        self.session = session
        start(instance, session.memory == nil ? request : nil)
    }

    /// What is answered where the instance of `session` can't be found.
    ///
    /// Before the runtime has said anything of an adapter, its instances may well go on: a cluster can't be asked say. A
    /// server that somebody else runs keeps its sessions while this gateway does not see it; everywhere else what can't
    /// be found has lost its memory.
    private func absence(of session: BoundSession, _ adapter: AdapterTarget) -> GatewayFault {
        guard adapter.isKnown else {
            // One that waits for room is started for whoever wants it.
            proxy.onWanted(adapter.route.name)
            return adapter.isOverBudget ? .overBudget(retryAfterSeconds: 5) : .unavailable(retryAfterSeconds: 1)
        }
        let ordinal = session.binding.ordinal
        if adapter.route.authorities.indices.contains(Int(ordinal)),
            !adapter.instances.contains(where: { $0.ordinal == ordinal })
        {
            return .unavailable(retryAfterSeconds: 1)
        }
        proxy.forgetMemory(of: session)
        proxy.endSession(session)
        return .sessionNotFound
    }

    /// Keeps the field lines of the request until it is known where it goes.
    func prepareFields(_ request: RequestView) {
        var lines = client.channel.allocator.buffer(capacity: request.head.length + 512)
        writeFields(of: request, into: &lines)
        fields = HeldBytes(lines)
    }

    /// Writes everything for the instance but the request line, `Host`, and the framing of the body.
    func writeFields(of request: RequestView, into buffer: inout ByteBuffer) {
        RequestFields.copy(request, without: adapter?.secretNames ?? [], into: &buffer)
        if kept.forwarded.isEmpty
            || !(request.value(of: .host).map { ByteComparison.isEqual($0, kept.forwardedHost) } ?? true)
        {
            kept.forwardedHost = request.value(of: .host).map { Array($0) } ?? []
            kept.forwarded = HeldBytes(
                RequestFields.forwarded(
                    peer: client.peer, host: kept.forwardedHost, isSecure: proxy.configuration.http.secure != nil))
        }
        buffer.writeCopy(of: kept.forwarded.bytes)
    }

    // MARK: - The body

    func receive(_ bytes: ByteBuffer, isEnd: Bool) {
        isRequestComplete = isEnd
        bodyBytes += bytes.readableBytes
        if bodyBytes > proxy.configuration.maximumBodyBytes {
            let fault = GatewayFault.bodyTooLarge(limitBytes: proxy.configuration.maximumBodyBytes)
            switch stage {
            case .forwarding: return replaceByFault(fault)
            case .inspecting, .rejecting, .waiting, .recovering: return respond(fault)
            case .idle, .answered: return
            }
        }
        switch stage {
        case .forwarding where isCheckedOnTheWay: checkOnTheWay(bytes)
        case .forwarding: forward(bytes)
        case .inspecting: inspect(bytes)
        case .rejecting: collectForReject(bytes, kept.fault)
        case .waiting, .recovering:
            body.append(bytes)
            if !isRequestComplete, body.count > Self.keptBytes { client.pauseReading(true) }
        case .idle, .answered: break
        }
        if isAnsweredEarly, isRequestComplete, stage.isForwarding { finish() }
    }

    /// Passes on what belongs to a session without looking at it, but for what must not be an array.
    func forward(_ bytes: ByteBuffer) {
        if mustNotBeBatch {
            let first = bytes.readableBytesView.first { $0 != 0x20 && $0 != 0x09 && $0 != 0x0A && $0 != 0x0D }
            if let first {
                mustNotBeBatch = false
                if first == UInt8(ascii: "[") {
                    return replaceByFault(.invalidRequest("batches are not part of this revision"))
                }
            } else if !isRequestComplete, body.count < Self.keptBytes {
                // White space alone is held back, so that nothing has been sent when it turns out what follows.
                return body.append(bytes)
            }
        }
        if let held = body.take() { sendPayload(held) }
        sendPayload(bytes)
        sendEnd()
    }

    private func inspect(_ bytes: ByteBuffer) {
        body.append(bytes)
        inspection?.consume(bytes)
        if inspection?.error != nil || isRequestComplete {
            decide()
        } else if body.count > proxy.configuration.inspectedBytes {
            isCheckedOnTheWay = true
            placeLargeRequest()
        }
    }

    /// The rest of the body flows while it is checked, so where it goes must be known from the head: a request that
    /// begins a session is never this large.
    private func placeLargeRequest() {
        let hasSession = head.withUnsafeReadableBytes { bytes in
            let headers = routing.headers(in: bytes)
            guard case .value = headers.session else { return false }
            return !headers.isModern
        }
        if hasSession { return beginSessionLate() }
        keepTogether(nil)
        place(for: .request)
    }

    /// The verdict on a body that was read to its end, or to its first mistake.
    private func verdict() -> RouteVerdict {
        let envelope: Envelope
        do throws(EnvelopeError) {
            guard let found = try inspection?.finish() else { return .reject(.notJSON(.truncated)) }
            envelope = found
        } catch {
            return .reject(.notJSON(error))
        }
        return head.withUnsafeReadableBytes { bytes in
            RequestClassifier(routing.headers(in: bytes), policy: adapter?.policy ?? RoutePolicy()).classify(envelope)
        }
    }

    private func decide() {
        switch verdict() {
        case .reject(let fault): respond(fault)
        case .legacyInitialize:
            purpose = .initialize
            place(for: .session)
        case .legacyStateless: place(for: .request)
        case .modern(let call):
            if inspection?.envelope?.method.equals("subscriptions/listen") ?? false {
                guard countStream() else { return respond(Self.tooManyStreams) }
            }
            purpose = .modern
            keepTogether(call)
            place(for: .request)
        case .legacySession: beginSessionLate()
        }
    }

    /// A session's request whose version header was not one that is surely legacy.
    private func beginSessionLate() {
        let session: BoundSession? = head.withUnsafeReadableBytes { bytes in
            guard let adapter, case .value(let id) = routing.headers(in: bytes).session else { return nil }
            return proxy.session(id, adapter: adapter.name, principal: principal.id)
        }
        guard let session, session.binding.kind == .streamable, let adapter, !proxy.hasEnded(session)
        else { return respond(.sessionNotFound) }
        if adapter.route.recovery != .none, beginRecovery(of: session, adapter, nil) { return }
        guard let instance = adapter.instance(of: session.binding) else {
            return respond(absence(of: session, adapter))
        }
        self.session = session
        start(instance)
    }

    private func checkOnTheWay(_ bytes: ByteBuffer) {
        inspection?.consume(bytes)
        let held = body.bytes
        body = HeldBytes(bytes)
        if inspection?.error == nil, !isRequestComplete { return sendPayload(held) }
        switch verdict() {
        case .reject(let fault): return replaceByFault(fault)
        case .legacyInitialize:
            return replaceByFault(.bodyTooLarge(limitBytes: proxy.configuration.inspectedBytes))
        case .legacySession where session == nil: return replaceByFault(.sessionNotFound)
        case .modern: purpose = .modern
        case .legacySession, .legacyStateless: break
        }
        sendPayload(held)
        if let last = body.take() { sendPayload(last) }
        sendEnd()
    }

    private func collectForReject(_ bytes: ByteBuffer, _ fault: GatewayFault) {
        body.append(bytes)
        if isRequestComplete || body.count > Self.keptBytes { respond(fault) }
    }
}
