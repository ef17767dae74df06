// SPDX-License-Identifier: MIT

import HTTP
import NIOCore

/// What a web page from another, allowed origin may see of answers (Fetch, CORS protocol): one policy for the proxied
/// routes and for the control plane.
///
/// That the origin is allowed was found out before (``OriginPolicy``): requests from others never get this far.
struct CrossOrigin: Responder {
    /// What a page may read besides the headers that any page may.
    static let exposed = "Mcp-Session-Id, WWW-Authenticate, ETag, Link, Location, Retry-After"
    /// What a page may send.
    static let methods = "GET, POST, PUT, DELETE, OPTIONS"

    private let next: any Responder

    /// Adds to what `next` answers.
    init(_ next: any Responder) {
        self.next = next
    }

    func respond(to request: HTTPRequest) async -> HTTPResponse {
        var response = await next.respond(to: request)
        guard let origin = request.headers["Origin"] else { return response }
        response.headers.set("Access-Control-Allow-Origin", origin)
        response.headers.set("Access-Control-Expose-Headers", Self.exposed)
        response.headers.append("Vary", "Origin")
        return response
    }

    /// Writes the field lines for an answer to a page from `origin`.
    static func write(origin: [UInt8], into buffer: inout ByteBuffer) {
        buffer.writeStaticString("Access-Control-Allow-Origin: ")
        buffer.writeBytes(origin)
        buffer.writeStaticString("\r\nAccess-Control-Expose-Headers: ")
        buffer.writeString(exposed)
        buffer.writeStaticString("\r\nVary: Origin\r\n")
    }
}
