// SPDX-License-Identifier: MIT

import JSON
import MCPProtocol

/// A JSON Web Token in the compact form, taken apart and not yet checked (RFC 7515 §7.1, RFC 7519 §7.2).
struct SignedToken {
    /// Longer ones are not read; a head of a request has room for little more.
    static let maximumBytes = 16 << 10

    /// The algorithm that the token claims.
    let algorithm: String
    /// The name of its key.
    let keyID: String?
    /// The claims.
    let claims: JSONValue
    /// What is signed.
    let message: [UInt8]
    /// The signature.
    let signature: [UInt8]

    /// Takes `bytes` apart; `nil` where they are no signed token that may stand for access.
    init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count <= Self.maximumBytes else { return nil }
        let parts = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3,
            let header = Self.object(parts[0]), let claims = Self.object(parts[1]),
            let signature = Base64.decode(parts[2], .url), !signature.isEmpty,
            let algorithm = header["alg"]?.text
        else { return nil }
        // Extensions that must be understood, and of which we know none (RFC 7515 §4.1.11).
        guard header["crit"] == nil else { return nil }
        // Tokens of other kinds are signed with the same keys: logout tokens, proofs of possession (RFC 8725 §3.11).
        if let type = header["typ"]?.text?.lowercased() {
            guard ["jwt", "at+jwt", "application/at+jwt", "application/jwt"].contains(type) else { return nil }
        }
        self.algorithm = algorithm
        keyID = header["kid"]?.text
        self.claims = claims
        self.signature = signature
        message = Array(bytes[..<(parts[2].startIndex - 1)])
    }

    private static func object(_ text: Slice<UnsafeRawBufferPointer>) -> JSONValue? {
        guard let bytes = Base64.decode(text, .url), let value = try? JSONParser.parse(bytes), case .object = value
        else { return nil }
        return value
    }
}
