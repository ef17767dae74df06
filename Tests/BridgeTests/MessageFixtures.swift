// SPDX-License-Identifier: MIT

import NIOCore

@testable import Bridge

extension Message {
    /// A message from its text.
    static func of(_ text: String) throws -> Message {
        try Message(ByteBuffer(string: text))
    }

    /// A request.
    static func request(_ id: String, _ method: String = "tools/call", token: String? = nil) throws -> Message {
        let params = token.map { #","params":{"_meta":{"progressToken":\#($0)}}"# } ?? ""
        return try of(#"{"jsonrpc":"2.0","id":\#(id),"method":"\#(method)"\#(params)}"#)
    }

    /// A response with an empty result.
    static func response(_ id: String) throws -> Message {
        try of(#"{"jsonrpc":"2.0","id":\#(id),"result":{}}"#)
    }

    /// A notification.
    static func notification(_ method: String, _ params: String = "{}") throws -> Message {
        try of(#"{"jsonrpc":"2.0","method":"\#(method)","params":\#(params)}"#)
    }

    /// The text.
    var text: String { String(buffer: bytes) }
}

extension ByteBuffer {
    /// The bytes as text.
    var text: String { String(buffer: self) }
}
