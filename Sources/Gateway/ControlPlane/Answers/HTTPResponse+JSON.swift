// SPDX-License-Identifier: MIT

internal import HTTP
internal import JSON
internal import Model
internal import NIOCore

extension HTTPResponse {
    /// An answer whose body is `value`.
    static func json(
        _ status: Int,
        _ value: JSONValue,
        headers: HTTPHeaders = HTTPHeaders(),
        mediaType: String = "application/json"
    ) -> HTTPResponse {
        var headers = headers
        headers.set("Content-Type", mediaType)
        // The answers depend on who asks, and change with every request: no cache may give them to anybody else.
        headers.set("Cache-Control", "no-store")
        return HTTPResponse(status: status, headers: headers, body: .bytes(ByteBuffer(bytes: value.bytes)))
    }

    /// An answer whose body is `object`.
    static func json(
        _ status: Int,
        _ object: JSONObject,
        headers: HTTPHeaders = HTTPHeaders(),
        mediaType: String = "application/json"
    ) -> HTTPResponse {
        json(status, .object(object), headers: headers, mediaType: mediaType)
    }
}
