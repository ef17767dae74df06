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
            case .idle, .inspecting: true
            case .rejecting, .forwarding, .answered: false
            }
        if mayCollect, !framing.isComplete, !isRequestComplete, framing.remainingLength ?? 0 <= 64 << 10 {
            stage = .rejecting(fault)
            client.sendContinueIfAwaited()
        } else {
            respond(fault)
        }
    }

    /// Answers with `fault` now.
    func respond(_ fault: GatewayFault) {
        let content = faultBody(fault)
        closesClient = client.closesAfterAnswer || !clientIsHTTP11
        var out = client.channel.allocator.buffer(capacity: 512)
        ResponseHeadWriter.begin(status: fault.status, into: &out)
        out.writeStaticString("Content-Type: application/json\r\n")
        if let seconds = fault.retryAfterSeconds { out.writeString("Retry-After: \(seconds)\r\n") }
        if let allow = fault.allow { out.writeString("Allow: \(allow)\r\n") }
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
        upstream?.close()
        respond(fault)
    }

    /// What was being sent turns out to be wrong: the instance never sees the end of it, so it never acts on it.
    func replaceByFault(_ fault: GatewayFault) {
        upstream?.close()
        guard !hasAnswerBegun else {
            clear()
            client.abort()
            return
        }
        respond(fault)
    }

    private func faultBody(_ fault: GatewayFault) -> [UInt8] {
        if let envelope { return fault.body(answering: envelope) }
        if let text = replay.flatMap(Self.body) ?? (isRequestComplete && body.readableBytes > 0 ? body : nil),
            let envelope = try? text.withUnsafeReadableBytes({ bytes throws(EnvelopeError) in
                try EnvelopeScanner.scan(bytes)
            })
        {
            return fault.body(answering: envelope)
        }
        return fault.body()
    }

    /// What follows the head in a whole request.
    private static func body(of request: ByteBuffer) -> ByteBuffer? {
        let end = request.withUnsafeReadableBytes { bytes in
            try? HeadScanner.end(of: bytes, limits: HeadLimits(bytes: bytes.count + 1))
        }
        guard let end else { return nil }
        return request.getSlice(at: request.readerIndex + end, length: request.readableBytes - end)
    }

    /// Tells a browser what it may send (Fetch, CORS preflight); the origin was found to be allowed.
    func answerPreflight() {
        var out = client.channel.allocator.buffer(capacity: 512)
        ResponseHeadWriter.begin(status: 204, into: &out)
        writeOrigin(into: &out)
        out.writeStaticString(
            """
            Access-Control-Allow-Methods: GET, POST, PUT, DELETE, OPTIONS\r
            Access-Control-Allow-Headers: Accept, Authorization, Content-Type, If-Match, Last-Event-ID, \
            MCP-Protocol-Version, Mcp-Method, Mcp-Name, Mcp-Session-Id, traceparent, tracestate\r
            Access-Control-Max-Age: 600\r

            """)
        closesClient = client.closesAfterAnswer || !clientIsHTTP11
        if closesClient { out.writeStaticString("Connection: close\r\n") }
        out.writeStaticString("\r\n")
        clear()
        client.write(out)
        client.finishAnswer(keepAlive: !closesClient)
    }
}
