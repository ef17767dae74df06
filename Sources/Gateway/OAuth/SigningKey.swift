// SPDX-License-Identifier: MIT

import Crypto
import CryptoExtras
// Signatures and keys are ContiguousBytes and DataProtocol, which [UInt8] is only with this import.
import FoundationEssentials
import JSON
import MCPProtocol

/// A public key of an issuer, as a JSON Web Key gives it (RFC 7517, RFC 7518 §6, RFC 8037 §2).
struct SigningKey: Sendable {
    private enum Material: Sendable {
        case rsa(_RSA.Signing.PublicKey)
        case p256(P256.Signing.PublicKey)
        case p384(P384.Signing.PublicKey)
        case p521(P521.Signing.PublicKey)
        case ed25519(Curve25519.Signing.PublicKey)
    }

    /// What tokens call it, if it has a name.
    let id: String?
    /// The one algorithm that it is for, if it says so.
    private let algorithm: String?
    private let material: Material

    /// Reads a key, or `nil` where it is of a kind that signs no tokens we read.
    ///
    /// An issuer may publish keys for encryption, secret ones, or ones of other curves beside those.
    init?(_ key: JSONValue) {
        guard key["use"]?.text ?? "sig" == "sig" else { return nil }
        if case .array(let operations)? = key["key_ops"], !operations.contains(.string("verify")) { return nil }
        func number(_ name: String) -> [UInt8]? {
            key[name]?.text.flatMap { Base64.decode(Array($0.utf8), .url) }
        }
        switch (key["kty"]?.text, key["crv"]?.text) {
        case ("RSA", _):
            // Less than 2048 bits are refused by the library (RFC 7518 §3.3).
            guard let modulus = number("n"), let exponent = number("e"),
                let found = try? _RSA.Signing.PublicKey(n: modulus, e: exponent)
            else { return nil }
            material = .rsa(found)
        case ("EC", "P-256"):
            guard let x = number("x"), let y = number("y"), x.count == 32, y.count == 32,
                let found = try? P256.Signing.PublicKey(rawRepresentation: x + y)
            else { return nil }
            material = .p256(found)
        case ("EC", "P-384"):
            guard let x = number("x"), let y = number("y"), x.count == 48, y.count == 48,
                let found = try? P384.Signing.PublicKey(rawRepresentation: x + y)
            else { return nil }
            material = .p384(found)
        case ("EC", "P-521"):
            guard let x = number("x"), let y = number("y"), x.count == 66, y.count == 66,
                let found = try? P521.Signing.PublicKey(rawRepresentation: x + y)
            else { return nil }
            material = .p521(found)
        case ("OKP", "Ed25519"):
            guard let x = number("x"), let found = try? Curve25519.Signing.PublicKey(rawRepresentation: x) else {
                return nil
            }
            material = .ed25519(found)
        default: return nil
        }
        id = key["kid"]?.text
        algorithm = key["alg"]?.text
    }

    /// Whether `signature` is this key's of `message` with `algorithm` (RFC 7518 §3.1, RFC 8037 §3.1).
    ///
    /// The key decides which algorithms there are, so that none can be played off against another, and `none` and those with
    /// shared secrets never are among them (RFC 8725 §3.1).
    func isGood(_ signature: [UInt8], of message: [UInt8], algorithm: String) -> Bool {
        guard self.algorithm ?? algorithm == algorithm else { return false }
        switch (material, algorithm) {
        case (.rsa(let key), "RS256"):
            return Self.isGood(signature, SHA256.hash(data: message), key, .insecurePKCS1v1_5)
        case (.rsa(let key), "RS384"):
            return Self.isGood(signature, SHA384.hash(data: message), key, .insecurePKCS1v1_5)
        case (.rsa(let key), "RS512"):
            return Self.isGood(signature, SHA512.hash(data: message), key, .insecurePKCS1v1_5)
        case (.rsa(let key), "PS256"): return Self.isGood(signature, SHA256.hash(data: message), key, .PSS)
        case (.rsa(let key), "PS384"): return Self.isGood(signature, SHA384.hash(data: message), key, .PSS)
        case (.rsa(let key), "PS512"): return Self.isGood(signature, SHA512.hash(data: message), key, .PSS)
        case (.p256(let key), "ES256"):
            guard let signature = try? P256.Signing.ECDSASignature(rawRepresentation: signature) else { return false }
            return key.isValidSignature(signature, for: SHA256.hash(data: message))
        case (.p384(let key), "ES384"):
            guard let signature = try? P384.Signing.ECDSASignature(rawRepresentation: signature) else { return false }
            return key.isValidSignature(signature, for: SHA384.hash(data: message))
        case (.p521(let key), "ES512"):
            guard let signature = try? P521.Signing.ECDSASignature(rawRepresentation: signature) else { return false }
            return key.isValidSignature(signature, for: SHA512.hash(data: message))
        case (.ed25519(let key), "EdDSA"), (.ed25519(let key), "Ed25519"):
            return key.isValidSignature(signature, for: message)
        default: return false
        }
    }

    private static func isGood(
        _ signature: [UInt8], _ digest: some Digest, _ key: _RSA.Signing.PublicKey, _ padding: _RSA.Signing.Padding
    ) -> Bool {
        key.isValidSignature(_RSA.Signing.RSASignature(rawRepresentation: signature), for: digest, padding: padding)
    }
}
