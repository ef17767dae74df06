// SPDX-License-Identifier: MIT

import JSON

/// Where an issuer says what it is, and what of that is needed here (RFC 8414, OpenID Connect Discovery).
enum IssuerMetadata {
    /// Where the document may be, the most likely place first (RFC 8414 §3.1 and §5, OpenID Connect Discovery §4.1).
    static func locations(of issuer: String) -> [String] {
        let base = issuer.hasSuffix("/") ? String(issuer.dropLast()) : issuer
        let authorityStart = base.firstRange(of: "://").map(\.upperBound) ?? base.startIndex
        let pathStart = base[authorityStart...].firstIndex(of: "/") ?? base.endIndex
        let (origin, path) = (base[..<pathStart], base[pathStart...])
        let first = [
            "\(base)/.well-known/openid-configuration", "\(origin)/.well-known/oauth-authorization-server\(path)",
        ]
        return path.isEmpty ? first : first + ["\(origin)/.well-known/openid-configuration\(path)"]
    }

    /// The URL of the keys, as `document` of `issuer` gives it.
    ///
    /// - Throws: why it can't be used, in words for the log.
    static func keysURL(_ document: JSONValue, issuer: String) throws(FetchError) -> String {
        // Otherwise one issuer could speak for another (RFC 8414 §3.3).
        guard document["issuer"]?.text == issuer else {
            throw FetchError("it describes the issuer '\(document["issuer"]?.text ?? "")' and not '\(issuer)'")
        }
        guard let url = document["jwks_uri"]?.text else { throw FetchError("it has no jwks_uri") }
        guard isSafe(url) else { throw FetchError("its jwks_uri is neither https nor on this machine") }
        return url
    }

    /// Whether what is fetched from `url` can be believed: `https`, or `http` on a loopback address.
    static func isSafe(_ url: String) -> Bool {
        if url.hasPrefix("https://") { return url.utf8.count > 8 }
        guard url.hasPrefix("http://") else { return false }
        let authority = url.dropFirst(7).prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        guard !authority.contains("@") else { return false }
        return ["localhost", "127.0.0.1", "[::1]"].contains { authority == $0 || authority.hasPrefix("\($0):") }
    }
}

/// Why keys could not be fetched; for the log.
struct FetchError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
