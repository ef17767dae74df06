// SPDX-License-Identifier: MIT

internal import Curl
internal import JSON

/// One call of the API server.
struct APICall: Sendable {
    var method: String
    /// Encoded, from `/api` on.
    var path: String
    var query: [(name: String, value: String)] = []
    var body: JSONValue?
    var contentType = "application/json"
    var deadlines = CurlDeadlines(connect: .seconds(5), head: .seconds(15), total: .seconds(20))

    init(_ method: String, _ path: String, query: [(name: String, value: String)] = [], body: JSONValue? = nil) {
        self.method = method
        self.path = path
        self.query = query
        self.body = body
    }

    /// Server-side apply under our name.
    ///
    /// JSON is YAML.
    static func apply(_ path: String, _ object: JSONValue) -> APICall {
        var call = APICall(
            "PATCH", path, query: [("fieldManager", FieldNames.manager), ("force", "true")], body: object)
        call.contentType = "application/apply-patch+yaml"
        return call
    }

    var target: String {
        guard !query.isEmpty else { return path }
        return path + "?" + query.map { "\($0.name)=\(Self.encode($0.value))" }.joined(separator: "&")
    }

    /// Everything but the unreserved characters (RFC 3986 §2.3) percent-encoded.
    private static func encode(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case 48...57, 65...90, 97...122, 45, 46, 95, 126: bytes.append(byte)
            default: bytes += [37, digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
