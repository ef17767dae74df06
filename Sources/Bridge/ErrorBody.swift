// SPDX-License-Identifier: MIT

import MCPProtocol
import NIOCore

/// The JSON-RPC errors that the bridge itself makes.
enum ErrorBody {
    /// The error response to the request with `id`.
    static func json(id: JSONRPCID, code: Int, message: String) -> ByteBuffer {
        ByteBuffer(bytes: JSONRPCErrorBody.encode(code: code, message: message, id: id))
    }
}

/// The JSON-RPC results that the bridge itself makes.
enum ResultBody {
    /// The empty result that answers a `ping`.
    static func empty(id: JSONRPCID) -> ByteBuffer {
        var body = ByteBuffer()
        body.writeStaticString(#"{"jsonrpc":"2.0","id":"#)
        body.writeBytes(id.json)
        body.writeStaticString(#","result":{}}"#)
        return body
    }

    /// The result that ends a `subscriptions/listen` in good order (MCP 2026-07-28, patterns/subscriptions).
    static func completion(subscription id: JSONRPCID) -> ByteBuffer {
        var body = ByteBuffer()
        body.writeStaticString(#"{"jsonrpc":"2.0","id":"#)
        body.writeBytes(id.json)
        body.writeStaticString(#","result":{"resultType":"complete","_meta":{"#)
        body.writeStaticString(#""io.modelcontextprotocol/subscriptionId":"#)
        body.writeBytes(id.json)
        body.writeStaticString("}}}")
        return body
    }
}
