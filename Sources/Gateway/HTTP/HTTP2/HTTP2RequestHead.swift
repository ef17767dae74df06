// SPDX-License-Identifier: MIT

internal import NIOCore
internal import NIOHPACK
internal import Wire

/// Writes the fields that begin a stream of HTTP/2 as the head of an HTTP/1.1 message, so that one reader and one set of
/// rules serve both.
///
/// What would mean something else in that form is refused here: a line break in a value would be a field of its own, and
/// white space in a path another version (RFC 9113 §10.3). Connection-specific fields (§8.2.2) and what is wrong with
/// pseudo fields (§8.3) is refused before.
enum HTTP2RequestHead {
    /// Writes the head of the request that `fields` are.
    ///
    /// - Parameter hasBody: Whether something follows; where its length is not told it is said to come in chunks, though it
    ///   comes without their framing.
    static func write(_ fields: HPACKHeaders, hasBody: Bool, into buffer: inout ByteBuffer) throws(HeadError) {
        var request = PseudoFields()
        for (name, value, _) in fields where name.utf8.first == UInt8(ascii: ":") { request.take(name, value) }
        guard let method = request.method, method != "CONNECT", isSolid(method) else { throw .badStartLine }
        // The other forms of a target are for proxies; there is one way to name a host here.
        guard let path = request.path, isSolid(path), path.utf8.first == UInt8(ascii: "/") || path == "*",
            request.scheme == "http" || request.scheme == "https"
        else { throw .badTarget }
        buffer.writeString(method)
        buffer.writeString(" ")
        buffer.writeString(path)
        buffer.writeStaticString(" HTTP/1.1\r\nHost: ")
        buffer.writeString(try host(request.authority, fields))
        buffer.writeStaticString("\r\n")
        writeLines(try checked(fields), hasBody: hasBody, into: &buffer)
        buffer.writeStaticString("\r\n")
    }

    private struct PseudoFields {
        var method: String?
        var path: String?
        var scheme: String?
        var authority: String?

        mutating func take(_ name: String, _ value: String) {
            switch name {
            case ":method": method = value
            case ":path": path = value
            case ":scheme": scheme = value
            case ":authority": authority = value
            default: break
            }
        }
    }

    /// What the request is for: `:authority`, or `Host` from a gateway that made HTTP/2 of HTTP/1.1; where both are there
    /// they say the same (RFC 9113 §8.3.1).
    private static func host(_ authority: String?, _ fields: HPACKHeaders) throws(HeadError) -> String {
        var host = authority
        var hosts = 0
        for (name, value, _) in fields where name == "host" {
            hosts += 1
            guard hosts == 1, host.map({ $0.lowercased() == value.lowercased() }) ?? true else { throw .badHost }
            host = value
        }
        guard let host, isSolid(host) else { throw .badHost }
        return host
    }

    private static func checked(_ fields: HPACKHeaders) throws(HeadError) -> HPACKHeaders {
        for (name, value, _) in fields {
            guard value.utf8.allSatisfy({ $0 != 0 && $0 != 10 && $0 != 13 }) else { throw .badField }
            let first = value.utf8.first ?? 33
            let last = value.utf8.last ?? 33
            // RFC 9113 §8.2.1.
            guard first != 32, first != 9, last != 32, last != 9 else { throw .badField }
            // What else may not be in a name the reader of the head finds.
            if name.utf8.first != UInt8(ascii: ":") {
                guard isSolid(name), !name.utf8.contains(UInt8(ascii: ":")) else { throw .badField }
            }
        }
        return fields
    }

    private static func writeLines(_ fields: HPACKHeaders, hasBody: Bool, into buffer: inout ByteBuffer) {
        var hasLength = false
        var cookies = ""
        for (name, value, _) in fields where name.utf8.first != UInt8(ascii: ":") {
            switch name {
            case "host", "transfer-encoding": continue
            case "cookie":
                // RFC 9113 §8.2.3: cut into crumbs that compress better.
                cookies += cookies.isEmpty ? value : "; " + value
                continue
            case "content-length": hasLength = true
            default: break
            }
            buffer.writeString(name)
            buffer.writeStaticString(": ")
            buffer.writeString(value)
            buffer.writeStaticString("\r\n")
        }
        if !cookies.isEmpty {
            buffer.writeStaticString("cookie: ")
            buffer.writeString(cookies)
            buffer.writeStaticString("\r\n")
        }
        if hasBody, !hasLength { buffer.writeStaticString("transfer-encoding: chunked\r\n") }
    }

    /// Whether `text` has neither white space nor control characters, and is not empty.
    private static func isSolid(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { $0 > 32 && $0 != 127 }
    }
}
