// SPDX-License-Identifier: MIT

import HTTP
import Logging
import MCPProtocol
import Metrics
import Model
import NIOCore
import Observability
import RuntimeContract
import Wire

extension ProxyExchange {
    /// The longest body that is kept so that the request can be sent again, or its id be found for an error.
    static let keptBytes = 64 << 10
    /// The largest piece of a body that is copied to leave with its head in one write.
    private static let copiedBytes = 16 << 10

    // MARK: - The instance

    /// Chooses an instance for what is bound to none.
    func place(for purpose: Placement.Purpose) {
        if let instance = choose(for: purpose) { return start(instance) }
        guard !wait(for: purpose) else { return }
        // One that was being parked may have been given back in between.
        if let instance = choose(for: purpose) { return start(instance) }
        reject(unavailability)
    }

    /// Why no instance can be had.
    var unavailability: GatewayFault {
        guard let adapter else { return .unavailable(retryAfterSeconds: 1) }
        if adapter.isOverBudget { return .overBudget(retryAfterSeconds: 5) }
        return .unavailable(retryAfterSeconds: Placement.retryAfterSeconds(adapter.candidates, at: proxy.uptime))
    }

    private func choose(for purpose: Placement.Purpose) -> InstanceTarget? {
        guard let adapter else { return nil }
        while let candidate = affinity.map({
            Placement.choose(by: $0, among: adapter.candidates, tried: tried, at: proxy.uptime)
        })
            ?? Placement.choose(
                for: purpose, among: adapter.candidates, tried: tried, at: proxy.uptime, using: &proxy.random)
        {
            switch candidate.load.admit(at: proxy.uptime) {
            case .admitted: return adapter.instance(candidate)
            case .admittedOnTrial:
                isTrial = true
                return adapter.instance(candidate)
            // Another loop was faster with the trial.
            case .refused: tried.append(candidate.endpoint.id)
            }
        }
        return nil
    }

    /// Tells that the instance did not serve the request.
    func noteFailure() {
        guard let instance else { return }
        isTrial = false
        guard instance.load.failed(at: proxy.uptime, proxy.configuration.ejection) else { return }
        adapter?.meters.ejections.increment()
        proxy.logger.warning(
            "an instance that fails again and again is left out for a while",
            metadata: [LogKey.instance: "\(instance.endpoint.id)", LogKey.endpoint: "\(instance.endpoint.endpoint)"])
    }

    /// The instance has begun to answer.
    @inline(__always)
    func noteSuccess() {
        isTrial = false
        instance?.load.succeeded()
    }

    func abandonTrial() {
        guard isTrial else { return }
        isTrial = false
        instance?.load.abandonTrial(at: proxy.uptime)
    }

    /// Waits for an instance that is being started, if one is: whoever deploys a server and connects to it need not
    /// try again until it is up.
    ///
    /// What has to flow while it is checked does not wait: it would have to be held.
    private func wait(for purpose: Placement.Purpose) -> Bool {
        guard let adapter, adapter.expectsInstances || adapter.candidates.contains(where: \.load.isClosed) else {
            return false
        }
        // Also for the next attempt of who can't wait.
        proxy.onWanted(adapter.route.name)
        guard tried.isEmpty, !isCheckedOnTheWay, proxy.beginWaiting(self) else { return false }
        stage = .waiting(purpose)
        if !isWatched {
            expiry = proxy.loop.sweep.deadline(after: proxy.configuration.startTimeout)
            proxy.loop.sweep.insert(self)
        }
        return true
    }

    /// The world has changed while the request was waiting; it no longer counts as waiting.
    func placeAgain() {
        guard case .waiting(let purpose) = stage, let name = adapter?.name else { return }
        guard let adapter = proxy.table.adapters[name] else { return respond(.adapterNotFound) }
        guard adapter.route.access.allowsUse(by: principal) else { return respond(.forbidden) }
        self.adapter = adapter
        place(for: purpose)
    }

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

    private func connect(to instance: InstanceTarget, mayReuse: Bool) {
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

    // MARK: - What becomes of the connection

    func upstreamConnected(_ connection: UpstreamConnection) {
        client.pauseReading(false)
        if !isRequestComplete { client.sendContinueIfAwaited() }
        if self.upstream === connection { flush() }
    }

    func upstreamWritabilityChanged(isWritable: Bool) {
        if isAnsweredEarly, !isWritable { return finish() }
        client.pauseReading(!isWritable)
    }

    /// The connection ended before anything was sent on it.
    func upstreamLost() {
        upstream = nil
        isHeldBack = false
        guard let instance else { return }
        connect(to: instance, mayReuse: true)
    }

    /// Nothing was sent, so another instance may take what is not bound to this one.
    func upstreamConnectFailed() {
        upstream = nil
        guard let instance else { return }
        noteFailure()
        adapter?.meters.connectFailures.increment()
        proxy.logger.debug(
            "an instance takes no connection",
            metadata: [LogKey.instance: "\(instance.endpoint.id)", LogKey.endpoint: "\(instance.endpoint.endpoint)"])
        tried.append(instance.endpoint.id)
        release(instance)
        if session == nil { return place(for: placementPurpose) }
        if recoverUnsent() { return }
        reject(.unavailable(retryAfterSeconds: 1))
    }

    private var placementPurpose: Placement.Purpose {
        purpose == .initialize || purpose == .eventStream ? .session : .request
    }

    /// Sends the whole request to another instance, if it is bound to none and reads only.
    ///
    /// - Returns: whether it was sent.
    func sendElsewhere() -> Bool {
        guard !hasRetried, session == nil, keepsSent, isRequestComplete, isSafeToSendAgain, let failed = instance
        else { return false }
        tried.append(failed.endpoint.id)
        guard let other = choose(for: placementPurpose) else { return false }
        hasRetried = true
        adapter?.meters.retries.increment()
        let wasTrial = isTrial
        isTrial = false
        release(failed)
        isTrial = wasTrial
        upstream = nil
        outgoingBody = sentBody
        forgetSent()
        start(other)
        return true
    }

    /// Sends the whole request once more on a fresh connection, if that can do no harm.
    ///
    /// - Returns: whether it was sent.
    func sendAgain() -> Bool {
        guard !hasRetried, keepsSent, isRequestComplete, isSafeToSendAgain, let instance else { return false }
        hasRetried = true
        adapter?.meters.retries.increment()
        upstream = nil
        outgoingHead = HeldBytes(
            sent.bytes.getSlice(at: sent.bytes.readerIndex, length: sentHeadLength) ?? ByteBuffer())
        outgoingBody = sentBody
        forgetSent()
        connect(to: instance, mayReuse: false)
        return true
    }

    /// Whether the request reads only, or does nothing more when it is done twice.
    var isSafeToSendAgain: Bool {
        if method == .get || method == .delete { return true }
        guard let envelope = inspection?.envelope ?? sentEnvelope, envelope.shape == .request,
            case .bytes(let method) = envelope.method
        else { return false }
        return MCPMethod(bytes: method)?.isReplayable ?? false
    }

    /// What was sent, read afterwards: requests of sessions are not read on their way.
    var sentEnvelope: Envelope? {
        guard isRequestComplete else { return nil }
        let sent = keepsSent ? sentBody : outgoingBody
        guard !sent.isEmpty else { return nil }
        let payload = bodyCoding.isChunks ? ChunkCoding.payload(sent.bytes) : sent.bytes
        return try? payload.withUnsafeReadableBytes { bytes throws(EnvelopeError) in
            try EnvelopeScanner.scan(bytes)
        }
    }
}
