// SPDX-License-Identifier: MIT

import Crypto
import CryptoExtras
import FoundationEssentials
import JSON
import MCPProtocol
import Testing

@testable import OAuth

@Suite("Keys that tokens are signed with")
struct SigningKeyTests {
    private static func text(_ bytes: some Collection<UInt8>) -> String {
        String(decoding: Base64.encode(Array(bytes), .url), as: UTF8.self)
    }

    private static func key(_ members: JSONObject) -> SigningKey? { SigningKey(.object(members)) }

    private static func isGood(_ token: String, _ key: SigningKey?, _ algorithm: String) throws -> Bool {
        let parts = token.split(separator: ".")
        let signature = try #require(Base64.decode(Array(parts[2].utf8), .url))
        let key = try #require(key)
        return key.isGood(signature, of: Array("\(parts[0]).\(parts[1])".utf8), algorithm: algorithm)
    }

    @Test("the example of ES256 in RFC 7515 A.3 is good, and one bit later is not")
    func ellipticExample() throws {
        let key = Self.key([
            "kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        ])
        let token =
            "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
        #expect(try Self.isGood(token, key, "ES256"))
        #expect(try !Self.isGood(token.replacing("eyJpc3MiOiJqb2UiLA", with: "eyJpc3MiOiJqb2UiLB"), key, "ES256"))
        #expect(try !Self.isGood(token, key, "ES384"))
    }

    @Test("the example of EdDSA in RFC 8037 A.4 is good")
    func edwardsExample() throws {
        let key = Self.key(["kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"])
        let token =
            "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
        #expect(try Self.isGood(token, key, "EdDSA"))
        #expect(try !Self.isGood(token, key, "ES256"))
    }

    @Test("an RSA key is good for both paddings and three digests, each told apart from the others")
    func rsa() throws {
        let pair = try _RSA.Signing.PrivateKey(keySize: .bits2048)
        let numbers = try pair.publicKey.getKeyPrimitives()
        let key = try #require(
            Self.key([
                "kty": "RSA", "n": .string(Self.text(numbers.modulus)), "e": .string(Self.text(numbers.publicExponent)),
            ]))
        let message = Array("a message".utf8)
        let signatures: [(String, [UInt8])] = [
            (
                "RS256",
                Array(
                    try pair.signature(for: SHA256.hash(data: message), padding: .insecurePKCS1v1_5).rawRepresentation)
            ),
            (
                "RS384",
                Array(
                    try pair.signature(for: SHA384.hash(data: message), padding: .insecurePKCS1v1_5).rawRepresentation)
            ),
            (
                "RS512",
                Array(
                    try pair.signature(for: SHA512.hash(data: message), padding: .insecurePKCS1v1_5).rawRepresentation)
            ),
            ("PS256", Array(try pair.signature(for: SHA256.hash(data: message), padding: .PSS).rawRepresentation)),
            ("PS384", Array(try pair.signature(for: SHA384.hash(data: message), padding: .PSS).rawRepresentation)),
            ("PS512", Array(try pair.signature(for: SHA512.hash(data: message), padding: .PSS).rawRepresentation)),
        ]
        for (algorithm, signature) in signatures {
            for (other, _) in signatures {
                #expect(
                    key.isGood(signature, of: message, algorithm: other) == (other == algorithm),
                    "\(algorithm) as \(other)")
            }
            #expect(!key.isGood(signature, of: message + [0], algorithm: algorithm))
        }
        for algorithm in ["none", "HS256", "ES256", ""] {
            #expect(!key.isGood(signatures[0].1, of: message, algorithm: algorithm), "\(algorithm)")
        }
    }

    @Test("the larger curves are good")
    func largerCurves() throws {
        let message = Array("a message".utf8)
        let medium = P384.Signing.PrivateKey()
        let mediumPoint = medium.publicKey.rawRepresentation
        let first = try #require(
            Self.key([
                "kty": "EC", "crv": "P-384", "x": .string(Self.text(mediumPoint.prefix(48))),
                "y": .string(Self.text(mediumPoint.suffix(48))),
            ]))
        #expect(
            first.isGood(
                Array(try medium.signature(for: SHA384.hash(data: message)).rawRepresentation), of: message,
                algorithm: "ES384"))
        let large = P521.Signing.PrivateKey()
        let largePoint = large.publicKey.rawRepresentation
        let second = try #require(
            Self.key([
                "kty": "EC", "crv": "P-521", "x": .string(Self.text(largePoint.prefix(66))),
                "y": .string(Self.text(largePoint.suffix(66))),
            ]))
        #expect(
            second.isGood(
                Array(try large.signature(for: SHA512.hash(data: message)).rawRepresentation), of: message,
                algorithm: "ES512"))
    }

    @Test("keys for other things, too short ones and broken ones are passed over")
    func unusable() {
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
        let good: JSONObject = ["kty": "OKP", "crv": "Ed25519", "x": .string(x)]
        #expect(Self.key(good) != nil)
        for (name, value) in [
            ("use", "enc"), ("key_ops", ["encrypt"]), ("crv", "X25519"), ("x", "AAAA"), ("kty", "oct"), ("x", 7),
            ("x", "a b"),
        ] as [(String, JSONValue)] {
            var bad = good
            bad.set(name, value)
            #expect(Self.key(bad) == nil, "\(name): \(value)")
        }
        let short = String(repeating: "A", count: 100) + "B"
        #expect(Self.key(["kty": "RSA", "n": .string(short), "e": "AQAB"]) == nil)
        #expect(Self.key([:]) == nil)
    }

    @Test("a set takes what it can use, and is none without a key that can be used")
    func sets() throws {
        let good: JSONValue = [
            "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": "a",
        ]
        let set = try #require(KeySet(["keys": [["kty": "oct", "k": "AAAA", "kid": "b"], good, 7]]))
        #expect(set.candidates("a").count == 1)
        #expect(set.candidates("b").isEmpty)
        #expect(set.candidates(nil).count == 1)
        #expect(KeySet(["keys": []]) == nil)
        #expect(KeySet(["keys": [["kty": "oct"]]]) == nil)
        #expect(KeySet(["key": [good]]) == nil)
        #expect(KeySet([good]) == nil)
    }

    @Test("a key is good for no other algorithm than the one it names")
    func namedAlgorithm() throws {
        let pair = try _RSA.Signing.PrivateKey(keySize: .bits2048)
        let numbers = try pair.publicKey.getKeyPrimitives()
        let key = try #require(
            Self.key([
                "kty": "RSA", "n": .string(Self.text(numbers.modulus)), "e": .string(Self.text(numbers.publicExponent)),
                "alg": "PS256",
            ]))
        let signature = try pair.signature(for: SHA256.hash(data: [1]), padding: .insecurePKCS1v1_5)
        #expect(!key.isGood(Array(signature.rawRepresentation), of: [1], algorithm: "RS256"))
    }
}
