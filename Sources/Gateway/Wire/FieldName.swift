// SPDX-License-Identifier: MIT

/// The field names that routing and rewriting look at; every other name is ``other`` and passes through.
public enum FieldName: UInt8, Hashable, Sendable {
    /// Any other name.
    case other
    /// `Accept`
    case accept
    /// `Accept-Encoding`
    case acceptEncoding
    /// Any other name that begins with `Access-Control-`.
    case accessControl
    /// `Access-Control-Request-Method`
    case accessControlRequestMethod
    /// `Authorization`
    case authorization
    /// `Cache-Control`
    case cacheControl
    /// `Connection`
    case connection
    /// `Content-Encoding`
    case contentEncoding
    /// `Content-Length`
    case contentLength
    /// `Content-Type`
    case contentType
    /// `Cookie`
    case cookie
    /// `Expect`
    case expect
    /// `Forwarded`
    case forwarded
    /// `Host`
    case host
    /// `Keep-Alive`
    case keepAlive
    /// `Location`
    case location
    /// `Mcp-Method`
    case mcpMethod
    /// `Mcp-Name`
    case mcpName
    /// `MCP-Protocol-Version`
    case mcpProtocolVersion
    /// `Mcp-Session-Id`
    case mcpSessionID
    /// Any name that begins with `Mcp-Gateway-`: the gateway's own.
    case mcpGateway
    /// `Origin`
    case origin
    /// `Proxy-Authenticate`, `Proxy-Authorization`, `Proxy-Connection` and `Proxy-Authentication-Info`
    case proxy
    /// `Set-Cookie` and `Set-Cookie2`
    case setCookie
    /// `TE`
    case te
    /// `Trailer`
    case trailer
    /// `Transfer-Encoding`
    case transferEncoding
    /// `Upgrade`
    case upgrade
    /// `X-Accel-Buffering`
    case xAccelBuffering
    /// Any name that begins with `X-Forwarded-`, and `X-Real-IP`.
    case xForwarded

    /// The name whose ASCII bytes, in either case, are at `bytes`.
    @inline(__always)
    static func of(_ bytes: UnsafePointer<UInt8>, count: Int) -> FieldName {
        // The length alone decides for nearly all fields; a few bytes are compared for the rest.
        switch count {
        case 2: return equal(bytes, "te", 2) ? .te : .other
        case 4: return equal(bytes, "host", 4) ? .host : .other
        case 6:
            if equal(bytes, "accept", 6) { return .accept }
            if equal(bytes, "cookie", 6) { return .cookie }
            if equal(bytes, "expect", 6) { return .expect }
            return equal(bytes, "origin", 6) ? .origin : .other
        case 7:
            if equal(bytes, "upgrade", 7) { return .upgrade }
            return equal(bytes, "trailer", 7) ? .trailer : .other
        case 8:
            if equal(bytes, "mcp-name", 8) { return .mcpName }
            return equal(bytes, "location", 8) ? .location : .other
        case 9:
            if equal(bytes, "forwarded", 9) { return .forwarded }
            return equal(bytes, "x-real-ip", 9) ? .xForwarded : .other
        case 10:
            if equal(bytes, "connection", 10) { return .connection }
            if equal(bytes, "keep-alive", 10) { return .keepAlive }
            if equal(bytes, "mcp-method", 10) { return .mcpMethod }
            return equal(bytes, "set-cookie", 10) ? .setCookie : .other
        case 11: return equal(bytes, "set-cookie2", 11) ? .setCookie : .other
        case 12: return equal(bytes, "content-type", 12) ? .contentType : .other
        case 13:
            if equal(bytes, "authorization", 13) { return .authorization }
            return equal(bytes, "cache-control", 13) ? .cacheControl : prefixed(bytes, count)
        case 14:
            if equal(bytes, "content-length", 14) { return .contentLength }
            return equal(bytes, "mcp-session-id", 14) ? .mcpSessionID : prefixed(bytes, count)
        case 15: return equal(bytes, "accept-encoding", 15) ? .acceptEncoding : prefixed(bytes, count)
        case 16:
            if equal(bytes, "content-encoding", 16) { return .contentEncoding }
            return equal(bytes, "proxy-connection", 16) ? .proxy : prefixed(bytes, count)
        case 17:
            if equal(bytes, "transfer-encoding", 17) { return .transferEncoding }
            return equal(bytes, "x-accel-buffering", 17) ? .xAccelBuffering : prefixed(bytes, count)
        case 18: return equal(bytes, "proxy-authenticate", 18) ? .proxy : prefixed(bytes, count)
        case 19: return equal(bytes, "proxy-authorization", 19) ? .proxy : prefixed(bytes, count)
        case 20: return equal(bytes, "mcp-protocol-version", 20) ? .mcpProtocolVersion : prefixed(bytes, count)
        case 25: return equal(bytes, "proxy-authentication-info", 25) ? .proxy : prefixed(bytes, count)
        case 29:
            if equal(bytes, "access-control-request-method", 29) { return .accessControlRequestMethod }
            return prefixed(bytes, count)
        default: return prefixed(bytes, count)
        }
    }

    @inline(__always)
    private static func prefixed(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> FieldName {
        guard count > 12 else { return .other }
        switch bytes[0] | 0x20 {
        case UInt8(ascii: "a"):
            return count > 15 && equal(bytes, "access-control-", 15) ? .accessControl : .other
        case UInt8(ascii: "x"): return equal(bytes, "x-forwarded-", 12) ? .xForwarded : .other
        case UInt8(ascii: "m"): return equal(bytes, "mcp-gateway-", 12) ? .mcpGateway : .other
        default: return .other
        }
    }

    /// Compares with a lower-case name.
    ///
    /// A name is a token, and of the bytes of tokens that `| 0x20` maps onto one
    /// another only letters and `^`/`~` do, and no name above has a tilde; so this is exact.
    @inline(__always)
    private static func equal(_ bytes: UnsafePointer<UInt8>, _ name: StaticString, _ count: Int) -> Bool {
        let name = name.utf8Start
        var index = 0
        while index < count {
            if bytes[index] | 0x20 != name[index] { return false }
            index += 1
        }
        return true
    }
}
