// SPDX-License-Identifier: MIT

import HTTP
import MCPProtocol
import Model
import NIOCore
import RuntimeContract
import Wire

extension ProxyExchange {
    // MARK: - The head of the answer

    /// Passes the head of the instance's answer on.
    ///
    /// - Returns: whether the body is wanted as payload: where it must be rewritten, or may be added to.
    func upstreamAnswered(_ response: ResponseHead, lines: [FieldLine], bytes: UnsafeRawBufferPointer) -> Bool {
        noteSuccess()
        guard (200..<300).contains(response.status) || response.status >= 400 || response.status == 304 else {
            // A redirect would lead the client around the gateway, to an address that is none of its business.
            failed(.upstreamFailed)
            return false
        }
        if response.status == 404, recoverDenied() { return false }
        let isStream = response.status == 200 && Self.isEventStream(lines, bytes)
        if recovery?.continuesStream ?? false { return continueStream(response, isStream: isStream) }
        // Nothing can be added to what is compressed, nor can it be read.
        isEventStream = isStream && !lines.contains { $0.name == .contentEncoding }
        guard isStream == isEventStream || purpose != .eventStream else {
            failed(.upstreamFailed)
            return false
        }
        var out = client.channel.allocator.buffer(capacity: response.length + 512)
        copyHead(response, lines, bytes, into: &out)
        guard writeSession(response, lines, bytes, into: &out) else {
            failed(.upstreamFailed)
            return false
        }
        writeOrigin(into: &out)
        let wantsPayload = writeFraming(response, into: &out)
        out.writeStaticString("\r\n")
        hasAnswerBegun = true
        adapter?.meters.answered(method, status: response.status)
        if isEventStream { beginEvents() }
        if !isRequestComplete {
            forgetSent()
        } else if session?.memory == nil || method == .get {
            forgetRequest()
        }
        // Small answers leave with their head: the body that is here already is appended by `upstreamBody`,
        // which is called next in any case.
        kept.answerHead = HeldBytes(out)
        return wantsPayload
    }

    private func beginEvents() {
        progress = SSEProgress()
        if purpose == .eventStream {
            stream = EventStreamState(rewriter: EndpointEventRewriter())
        } else if method == .post, let envelope = inspection?.envelope ?? sentEnvelope, envelope.shape == .request {
            isListening = envelope.method.equals("subscriptions/listen")
            if !isListening { stream = EventStreamState(id: envelope.id) }
        }
        endsAfterEvent = proxy.loop.isDraining && isStanding
        expiry = proxy.loop.sweep.now + proxy.configuration.keepAliveInterval
        if !isWatched { proxy.loop.sweep.insert(self) }
    }

    private static func isEventStream(_ lines: [FieldLine], _ bytes: UnsafeRawBufferPointer) -> Bool {
        for line in lines where line.name == .contentType {
            let type: StaticString = "text/event-stream"
            guard line.value.count >= type.utf8CodeUnitCount else { return false }
            return (0..<type.utf8CodeUnitCount).allSatisfy {
                bytes[line.valueStart + $0] | 0x20 == type.utf8Start[$0] | 0x20
            }
        }
        return false
    }

    /// Copies the status line and the field lines that may pass, in runs as long as possible.
    private func copyHead(
        _ response: ResponseHead, _ lines: [FieldLine], _ bytes: UnsafeRawBufferPointer, into out: inout ByteBuffer
    ) {
        var runStart = 0
        var runEnd = response.fieldsStart
        var hasBuffering = false
        var hasCaching = false
        for line in lines {
            var drops = false
            switch line.name {
            case .accessControl, .accessControlRequestMethod, .connection, .contentLength, .keepAlive, .location,
                .mcpSessionID, .proxy, .setCookie, .te, .trailer,
                .transferEncoding, .upgrade, .mcpGateway:
                drops = true
            case .xAccelBuffering: hasBuffering = true
            case .cacheControl: hasCaching = true
            case .other:
                if response.namesHopByHopFields {
                    proxy.scanner.hopByHopNames(in: bytes) { option in
                        if RequestFields.isEqual(bytes, option, line.nameRange) { drops = true }
                    }
                }
            default: break
            }
            if drops {
                if runEnd > runStart { out.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[runStart..<runEnd])) }
                runStart = line.end
            }
            runEnd = line.end
        }
        if runEnd > runStart { out.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[runStart..<runEnd])) }
        // "HTTP/1.1": our version, not that of the server (RFC 9110 §6.2).
        out.setInteger(UInt8(ascii: "1"), at: out.readerIndex + 7)
        guard isEventStream else { return }
        if !hasBuffering { out.writeStaticString("X-Accel-Buffering: no\r\n") }
        if !hasCaching { out.writeStaticString("Cache-Control: no-cache\r\n") }
    }

    /// The session id that the client sees: its own again, a new one where a session began, or none.
    ///
    /// - Returns: `false` where the instance began a session with an id that no client could send back.
    private func writeSession(
        _ response: ResponseHead, _ lines: [FieldLine], _ bytes: UnsafeRawBufferPointer, into out: inout ByteBuffer
    ) -> Bool {
        let isSuccess = (200..<300).contains(response.status)
        let line = lines.first { $0.name == .mcpSessionID }
        switch purpose {
        case .plain, .delete:
            guard let session, session.binding.kind == .streamable else { break }
            if purpose == .delete, isSuccess {
                proxy.endForGood(session)
            } else if response.status == 404 {
                // Some servers have no standing stream and answer a GET so.
                if method == .post { proxy.forgetMemory(of: session) }
                proxy.endSession(session)
            } else if let memory = session.memory {
                observe(memory, isSuccess: isSuccess)
            }
            if line != nil { write(session, into: &out) }
        case .initialize:
            guard isSuccess, let line, let instance, let adapter else { break }
            guard
                let session = proxy.openSession(
                    .streamable, upstream: Array(UnsafeRawBufferPointer(rebasing: bytes[line.value])),
                    instance: instance, adapter: adapter, principal: principal.id)
            else { return false }
            if adapter.route.recovery != .none { rememberHandshake(of: session, adapter) }
            write(session, into: &out)
        case .eventStream, .modern: break
        }
        if purpose == .initialize { settleSession() }
        return true
    }

    private func write(_ session: BoundSession, into out: inout ByteBuffer) {
        out.writeLine("Mcp-Session-Id: ", session.text)
    }

    func writeOrigin(into out: inout ByteBuffer) {
        guard !origin.isEmpty else { return }
        CrossOrigin.write(origin: origin, into: &out)
    }

    private func writeFraming(_ response: ResponseHead, into out: inout ByteBuffer) -> Bool {
        closesClient = client.closesAfterAnswer || !clientIsHTTP11
        var wantsPayload = false
        if isEventStream || response.framing.isChunked || response.framing.isUntilClose {
            // An event stream is unwrapped and wrapped again, so that comments and a last error can be added between
            // events. Chunks of other answers pass as they are.
            wantsPayload = isEventStream || !clientIsHTTP11 || response.framing.isUntilClose
            answersInChunks = clientIsHTTP11
            if clientIsHTTP11 { out.writeStaticString("Transfer-Encoding: chunked\r\n") }
        } else if response.status != 204, response.status != 304 {
            out.writeLine("Content-Length: ", response.framing.remainingLength ?? 0)
        }
        if closesClient { out.writeStaticString("Connection: close\r\n") }
        if tap != nil { wantsPayload = true }
        isPassedInPieces = wantsPayload
        return wantsPayload
    }

    // MARK: - The body of the answer

    /// Passes a piece of the body on.
    func upstreamBody(_ bytes: ByteBuffer, isEnd: Bool) {
        guard hasAnswerBegun else { return }
        var out: ByteBuffer
        if isPassedInPieces {
            guard var payload = rewritten(bytes, isEnd: isEnd) else { return failedInAnswer() }
            if recovery != nil { payload = payloadAsEvent(payload, isEnd: isEnd) }
            tap?.consume(payload, isEnd: isEnd)
            if progress != nil {
                payload.withUnsafeReadableBytes { _ = progress?.consume($0) }
                expiry = proxy.loop.sweep.now + proxy.configuration.keepAliveInterval
            }
            out = heldAnswerHead()
            if answersInChunks {
                ChunkCoding.append(payload, to: &out)
                if isEnd { out.writeStaticString(ChunkCoding.end) }
            } else {
                out.writeImmutableBuffer(payload)
            }
        } else {
            if let head = kept.answerHead.take() {
                out = head
                if bytes.readableBytes <= 16 << 10 {
                    out.writeCopy(of: bytes)
                } else {
                    client.write(out)
                    out = bytes
                }
            } else {
                out = bytes
            }
        }
        if out.readableBytes > 0 { client.write(out) }
        if isEnd {
            if isRequestComplete || !sendsRest { finish() }
        } else if endsAfterEvent {
            endStanding()
        } else {
            if isEventStream, isRequestComplete, session?.memory == nil || method == .get { forgetKept() }
            if !client.isWritable { upstream?.pauseReading(true) }
        }
    }

    /// The payload with the endpoint event rewritten, or `nil` where that can't be done.
    private func rewritten(_ bytes: ByteBuffer, isEnd: Bool) -> ByteBuffer? {
        guard let stream, stream.rewriter != nil, let adapter, let instance else { return bytes }
        var output: [UInt8] = []
        do throws(SSEError) {
            try bytes.withUnsafeReadableBytes { chunk throws(SSEError) in
                try stream.rewriter?.consume(chunk, into: &output) { reference in
                    announce(reference, adapter, instance)
                }
            }
        } catch {
            return nil
        }
        if isEnd { stream.rewriter?.finish(into: &output) }
        if stream.rewriter?.isDone ?? false { self.stream = nil }
        return ByteBuffer(bytes: output)
    }

    /// The gateway's own place for messages in the place of the instance's (2024-11-05, HTTP with SSE).
    private func announce(_ reference: ArraySlice<UInt8>, _ adapter: AdapterTarget, _ instance: InstanceTarget)
        -> [UInt8]?
    {
        guard let target = EndpointReference.target(reference, base: Array(adapter.route.ssePath.utf8)),
            let session = proxy.openSession(
                .eventStream, upstream: target, instance: instance, adapter: adapter, principal: principal.id)
        else { return nil }
        settleSession()
        self.session = session
        entry = session.entry
        entry?.enter(at: proxy.now)
        return Array("/adapters/\(adapter.name)/messages?session_id=".utf8) + session.text
    }
}
