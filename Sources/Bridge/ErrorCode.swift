// SPDX-License-Identifier: MIT

import FoundationEssentials

/// Reads the code of a JSON-RPC error.
enum ErrorCode {
    /// UnsupportedProtocolVersion (MCP 2026-07-28).
    static let unsupportedVersion = -32022

    /// The code in `message`, if it is an error response.
    static func read(_ message: [UInt8]) -> Int? {
        (try? JSONDecoder().decode(Response.self, from: Data(message)))?.error.code
    }

    /// The HTTP status that goes with an error of a modern server (MCP 2026-07-28, Streamable HTTP; the rest as in the
    /// SDKs).
    static func status(of code: Int?) -> Int {
        switch code {
        case -32700, -32600, -32602, -32020, -32021, -32022: 400
        case -32601: 404
        default: 200
        }
    }

    private struct Response: Decodable {
        struct Failure: Decodable {
            let code: Int
        }
        let error: Failure
    }
}
