// SPDX-License-Identifier: MIT

import Crypto
// AES.GCM gives its results as Data, and [UInt8] is a DataProtocol only with this import. Nowhere else in this target.
import FoundationEssentials

/// The cryptography of session ids: three independent keys made of one secret (HKDF-SHA256, RFC 5869), AES-256-GCM,
/// and a nonce that follows from what is sealed.
///
/// The nonce is the HMAC-SHA256 of everything that goes in, cut to 96 bits. So the same binding always gets the same
/// id, and no nonce is ever used for two different texts but by a chance of 2⁻⁹⁶ per pair; a broken random number
/// generator can't hurt.
struct SessionCipher: Sendable {
    static let nonceLength = 12
    static let tagLength = 16
    static let secretLength = 32

    /// 32 bits that tell the keys of a ring apart; says nothing about the key.
    let keyID: UInt32

    private let encryptionKey: SymmetricKey
    private let nonceKey: SymmetricKey

    /// The keys that follow from `secret`, which has ``secretLength`` bytes.
    init(secret: [UInt8]) {
        precondition(secret.count == Self.secretLength, "a session key has 32 bytes")
        let material = SymmetricKey(data: secret)
        func derive(_ purpose: String, _ length: Int) -> SymmetricKey {
            HKDF<SHA256>.deriveKey(
                inputKeyMaterial: material, info: Array("mcp-gateway session \(purpose)".utf8), outputByteCount: length)
        }
        encryptionKey = derive("encryption", 32)
        nonceKey = derive("nonce", 32)
        keyID = derive("key id", 4).withUnsafeBytes { UInt32(bigEndian: $0.loadUnaligned(as: UInt32.self)) }
    }

    /// Nonce, ciphertext and tag of `plaintext`, bound to `context`; `nil` only if the library fails.
    func seal(_ plaintext: [UInt8], context: [UInt8]) -> [UInt8]? {
        var hash = HMAC<SHA256>(key: nonceKey)
        hash.update(data: UInt64(context.count).bigEndianBytes)
        hash.update(data: context)
        hash.update(data: plaintext)
        let nonceBytes = Array(hash.finalize().prefix(Self.nonceLength))
        guard let nonce = try? AES.GCM.Nonce(data: nonceBytes),
            let box = try? AES.GCM.seal(plaintext, using: encryptionKey, nonce: nonce, authenticating: context)
        else { return nil }
        return nonceBytes + Array(box.ciphertext) + Array(box.tag)
    }

    /// What was sealed into `sealed` with the same key and `context`, else `nil`.
    func open(_ sealed: ArraySlice<UInt8>, context: [UInt8]) -> [UInt8]? {
        guard sealed.count >= Self.nonceLength + Self.tagLength,
            let box = try? AES.GCM.SealedBox(combined: sealed),
            let plaintext = try? AES.GCM.open(box, using: encryptionKey, authenticating: context)
        else { return nil }
        return Array(plaintext)
    }

    /// The first 128 bits of the SHA-256 of `bytes`.
    static func digest(_ bytes: [UInt8]) -> UInt128 {
        SHA256.hash(data: bytes).prefix(16).reduce(0) { $0 << 8 | UInt128($1) }
    }
}

extension FixedWidthInteger {
    /// The bytes of the number, the highest first.
    var bigEndianBytes: [UInt8] {
        (0..<Self.bitWidth / 8).reversed().map { UInt8(truncatingIfNeeded: self >> Self($0 * 8)) }
    }
}
