// SPDX-License-Identifier: MIT

/// The bytes of a JSON-RPC error response (JSON-RPC 2.0 §5.1).
public enum JSONRPCErrorBody {
    /// One compact object on one line, members in a fixed order.
    ///
    /// `data`, if any, is JSON text that goes in as it is.
    public static func encode(
        code: Int, message: String, data: [UInt8]? = nil, id: JSONRPCID = .null
    ) -> [UInt8] {
        var body = [UInt8]()
        body.reserveCapacity(96 + message.utf8.count + (data?.count ?? 0))
        body += "{\"jsonrpc\":\"2.0\",\"id\":".utf8
        body += id.json
        body += ",\"error\":{\"code\":".utf8
        body += String(code).utf8
        body += ",\"message\":".utf8
        body += string(message.utf8)
        if let data {
            body += ",\"data\":".utf8
            body += data
        }
        body += "}}".utf8
        return body
    }

    /// The JSON text of a string; `text` must be UTF-8.
    public static func string(_ text: some Collection<UInt8>) -> [UInt8] {
        var result = [UInt8(ascii: "\"")]
        result.reserveCapacity(text.count + 2)
        for byte in text {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                result.append(UInt8(ascii: "\\"))
                result.append(byte)
            case 0..<0x20:
                let digits = Array("0123456789abcdef".utf8)
                result += "\\u00".utf8
                result.append(digits[Int(byte >> 4)])
                result.append(digits[Int(byte & 15)])
            default:
                result.append(byte)
            }
        }
        result.append(UInt8(ascii: "\""))
        return result
    }
}
