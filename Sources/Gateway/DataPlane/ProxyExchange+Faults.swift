// SPDX-License-Identifier: MIT

import HTTP
import MCPProtocol
import NIOCore
import Wire

extension ProxyExchange {
    /// Answers with `fault`, after the body has arrived if there is one and it is small: the answer then has the id of
    /// the request, and the connection goes on.
    func reject(_ fault: GatewayFault) {
        let mayCollect: Bool =
            switch stage {
            case .idle, .inspecting, .waiting: true
            case .recovering: outgoingBody.isEmpty && !bodyCoding.isChunks
            // What is not bound or could not be sent: nothing has flowed.
            case .forwarding: upstream == nil && !isCheckedOnTheWay && !bodyCoding.isChunks
            case .rejecting, .answered: false
            }
        if mayCollect, !framing.isComplete, !isRequestComplete, framing.remainingLength ?? 0 <= 64 << 10 {
            stage = .rejecting
            kept.fault = fault
            if !outgoingBody.isEmpty { swap(&body, &outgoingBody) }
            client.pauseReading(false)
            client.sendContinueIfAwaited()
        } else {
            respond(fault)
        }
    }

    /// Answers with `fault` now.
    func respond(_ fault: GatewayFault) {
        if recovery?.continuesStream ?? false { return endStream(with: fault) }
        let content = faultBody(fault)
        (adapter?.meters ?? proxy.meters).answered(method, status: fault.status)
        noteDuration()
        closesClient = client.closesAfterAnswer || !clientIsHTTP11
        var out = client.channel.allocator.buffer(capacity: 512)
        ResponseHeadWriter.begin(status: fault.status, into: &out)
        out.writeStaticString("Content-Type: application/json\r\n")
        if let seconds = fault.retryAfterSeconds { out.writeString("Retry-After: \(seconds)\r\n") }
        if let allow = fault.allow { out.writeString("Allow: \(allow)\r\n") }
        if let challenge = fault.challenge { out.writeString("WWW-Authenticate: \(challenge)\r\n") }
        if fault != .forbiddenOrigin { writeOrigin(into: &out) }
        if closesClient { out.writeStaticString("Connection: close\r\n") }
        out.writeString("Content-Length: \(content.count)\r\n\r\n")
        if method != .head { out.writeBytes(content) }
        clear()
        client.write(out)
        client.finishAnswer(keepAlive: !closesClient)
    }

    /// The instance failed before its answer began.
    func failed(_ fault: GatewayFault) {
        upstream?.cancel()
        respond(fault)
    }

    /// What was being sent turns out to be wrong: the instance never sees the end of it, so it never acts on it.
    func replaceByFault(_ fault: GatewayFault) {
        upstream?.cancel()
        guard !hasAnswerBegun else {
            clear()
            client.abort()
            return
        }
        respond(fault)
    }

    private func faultBody(_ fault: GatewayFault) -> [UInt8] {
        if let envelope = inspection?.envelope { return fault.body(answering: envelope) }
        guard isRequestComplete, !isCheckedOnTheWay else { return fault.body() }
        if body.isEmpty { return sentEnvelope.map { fault.body(answering: $0) } ?? fault.body() }
        let found = try? body.withUnsafeReadableBytes { bytes throws(EnvelopeError) in
            try EnvelopeScanner.scan(bytes)
        }
        return found.map { fault.body(answering: $0) } ?? fault.body()
    }

    /// Tells a browser what it may send (Fetch, CORS preflight); the origin was found to be allowed.
    func answerPreflight(_ request: RequestView) {
        var out = client.channel.allocator.buffer(capacity: 512)
        ResponseHeadWriter.begin(status: 204, into: &out)
        writeOrigin(into: &out)
        out.writeStaticString("Access-Control-Allow-Methods: ")
        out.writeString(CrossOrigin.methods)
        out.writeStaticString("\r\n")
        // `Mcp-Param-*` are any names, and the origin is one that is trusted: it may send what it asks for.
        for line in request.lines where line.name == .accessControl {
            guard request.text(line.nameRange).lowercased() == "access-control-request-headers" else { continue }
            out.writeStaticString("Access-Control-Allow-Headers: ")
            out.writeBytes(request.slice(line.value))
            out.writeStaticString("\r\n")
        }
        out.writeStaticString("Access-Control-Max-Age: 600\r\n")
        closesClient = client.closesAfterAnswer || !clientIsHTTP11
        if closesClient { out.writeStaticString("Connection: close\r\n") }
        out.writeStaticString("\r\n")
        clear()
        client.write(out)
        client.finishAnswer(keepAlive: !closesClient)
    }
}
