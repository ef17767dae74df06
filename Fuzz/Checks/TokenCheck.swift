// SPDX-License-Identifier: MIT

#if canImport(OAuth)
import JSON
import MCPProtocol

@testable import OAuth
#endif

/// What must hold of tokens, whatever their bytes are.
enum TokenCheck {
    /// What does not hold of `input`, or `nil`.
    static func violation(of input: [UInt8]) -> String? {
        guard let token = input.withUnsafeBytes({ SignedToken($0) }) else { return nil }
        guard case .object = token.claims else { return "the claims are no object" }
        guard !token.signature.isEmpty else { return "a token has no signature" }
        // One text for one token: a cache by text and a signature over bytes can't be played off against each other.
        return token.message + [UInt8(ascii: ".")] + Base64.encode(token.signature, .url) == input
            ? nil : "what is signed and the signature are not the whole token"
    }
}
