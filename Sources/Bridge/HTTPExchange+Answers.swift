// SPDX-License-Identifier: MIT

import HTTP
import MCPProtocol
import NIOCore

extension HTTPExchange {
    /// Answers with a JSON body.
    func respond(status: Int, json: ByteBuffer) {
        respond(status: status, headers: ["Content-Type": "application/json"], body: json)
    }

    /// Answers with a JSON-RPC error of the bridge's own.
    func respond(status: Int, error: ByteBuffer, retryAfterSeconds: Int? = nil) {
        var headers: HTTPHeaders = ["Content-Type": "application/json"]
        if let retryAfterSeconds { headers.append("Retry-After", String(retryAfterSeconds)) }
        respond(status: status, headers: headers, body: error)
    }

    /// Answers with the status and the JSON-RPC error of `fault`.
    func refuse(_ fault: GatewayFault, id: JSONRPCID = .null) {
        refuse(fault, body: fault.body(id: id))
    }

    /// Answers the POST of `messages` with the status and the JSON-RPC error of `fault`; a single request gets its id
    /// echoed.
    func refuse(_ fault: GatewayFault, answering messages: [Message]) {
        guard messages.count == 1, let message = messages.first else { return refuse(fault) }
        refuse(fault, body: fault.body(answering: message.envelope))
    }

    /// Answers with one message of the server, in the form that the client takes.
    func answer(_ message: ByteBuffer, accept: AcceptHeader, headers: HTTPHeaders) {
        var headers = headers
        guard !accept.json else {
            headers.append("Content-Type", "application/json")
            return respond(status: 200, headers: headers, body: message)
        }
        for field in HTTPHeaders.eventStream.fields { headers.append(field.name, field.value) }
        begin(status: 200, headers: headers)
        write(ServerSentEvent.encode(message, id: nil))
        end()
    }

    private func refuse(_ fault: GatewayFault, body: [UInt8]) {
        var headers: HTTPHeaders = ["Content-Type": "application/json"]
        if let allow = fault.allow { headers.append("Allow", allow) }
        if let seconds = fault.retryAfterSeconds { headers.append("Retry-After", String(seconds)) }
        respond(status: fault.status, headers: headers, body: ByteBuffer(bytes: body))
    }
}

extension HTTPHeaders {
    /// What goes with a stream of events: nobody on the way may store or buffer it.
    static let eventStream: HTTPHeaders = [
        "Content-Type": "text/event-stream", "Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no",
    ]

    /// Lends the fields that decide about the era to `body`.
    func withRoutingHeaders<Result>(_ body: (RoutingHeaders) -> Result) -> Result {
        let names = ["MCP-Protocol-Version", "Mcp-Method", "Mcp-Name", "Mcp-Session-Id"]
        let values: [[[UInt8]]] = names.map { name in self.values(of: name).map { Array($0.utf8) } }
        // One buffer for all, so that one borrow is enough.
        let bytes = values.compactMap { $0.first }.flatMap { $0 }
        return bytes.withUnsafeBytes { pointer in
            var offset = 0
            let fields = values.map { found -> RoutingHeader in
                guard let first = found.first else { return .absent }
                let slice = pointer[offset..<offset + first.count]
                offset += first.count
                return found.count > 1 ? .repeated : .value(UnsafeRawBufferPointer(rebasing: slice))
            }
            return body(
                RoutingHeaders(protocolVersion: fields[0], method: fields[1], name: fields[2], session: fields[3]))
        }
    }
}
