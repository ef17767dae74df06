// SPDX-License-Identifier: MIT

/// What a request brings to say who sends it.
///
/// Borrowed from the request's head. A token in the query of a URL is none: it would stand in logs (RFC 6750 §2.3; MCP
/// authorization, access token usage).
public struct Credentials {
    /// The value of `Authorization`, if there is one.
    public let authorization: UnsafeRawBufferPointer?

    /// The credentials of one request.
    public init(authorization: UnsafeRawBufferPointer?) {
        self.authorization = authorization
    }

    /// The token of the scheme `Bearer` (RFC 6750 §2.1), whose name has no case; `nil` where there is none.
    public var bearerToken: UnsafeRawBufferPointer? {
        let scheme: StaticString = "bearer "
        guard let authorization, authorization.count > scheme.utf8CodeUnitCount else { return nil }
        for index in 0..<scheme.utf8CodeUnitCount
        where authorization[index] | 0x20 != scheme.utf8Start[index] | 0x20 { return nil }
        var start = scheme.utf8CodeUnitCount
        while start < authorization.count, authorization[start] == UInt8(ascii: " ") { start += 1 }
        return start < authorization.count ? UnsafeRawBufferPointer(rebasing: authorization[start...]) : nil
    }
}
