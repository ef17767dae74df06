// SPDX-License-Identifier: MIT

/// Turns bindings into session ids that only gateways with the same keys can read, and back.
///
/// An id is base64url without padding (so visible ASCII, and fit for a query) of: version 1 (1 byte), key id (4),
/// nonce (12), ciphertext, tag (16). The ciphertext is kind (1), ordinal (4), incarnation (16) and the server's own
/// id. Authenticated with it are version and key id, the adapter's name and the principal's id, each length-prefixed:
/// an id opens for the adapter and the principal it was made for, and for nobody else.
///
/// Sealing the same binding twice gives the same id. Costs some microseconds; cache what was opened.
public struct SessionSeal: Sendable {
    private static let version: UInt8 = 1
    private static let headLength = 5
    private static let bindingLength = 5 + IncarnationDigest.byteCount

    /// The longest id that this seal makes or opens.
    public static let maximumLength =
        ((headLength + SessionCipher.nonceLength + bindingLength + SessionBinding.maximumUpstreamLength
            + SessionCipher.tagLength) * 4 + 2) / 3

    private let ring: SessionKeyRing

    /// A seal with the keys of `ring`: the first one seals, all open.
    public init(_ ring: SessionKeyRing) {
        self.ring = ring
    }

    /// The session id of `binding` for `principal` on `adapter`; `nil` only if the cryptographic library fails.
    public func seal(_ binding: SessionBinding, adapter: String, principal: String) -> [UInt8]? {
        let cipher = ring.sealing
        let head = [Self.version] + cipher.keyID.bigEndianBytes
        var plaintext = [binding.kind.rawValue]
        plaintext += binding.ordinal.bigEndianBytes
        plaintext += binding.incarnation.value.bigEndianBytes
        plaintext += binding.upstream
        guard let sealed = cipher.seal(plaintext, context: Self.context(head, adapter, principal)) else { return nil }
        return Base64.encode(head + sealed, .url)
    }

    /// What the session id `text` says, or `nil` where it is malformed, foreign, altered or sealed with an unknown key.
    public func open(_ text: UnsafeRawBufferPointer, adapter: String, principal: String) -> OpenedSession? {
        guard text.count <= Self.maximumLength, let bytes = Base64.decode(text, .url),
            bytes.count > Self.headLength + SessionCipher.nonceLength + Self.bindingLength + SessionCipher.tagLength,
            bytes[0] == Self.version
        else { return nil }
        let keyID = Self.number(bytes[1..<Self.headLength], as: UInt32.self)
        let context = Self.context(Array(bytes[..<Self.headLength]), adapter, principal)
        // 32 bits may be the same for two keys of a ring, so all that fit are tried.
        for cipher in ring.ciphers where cipher.keyID == keyID {
            guard let plaintext = cipher.open(bytes[Self.headLength...], context: context) else { continue }
            guard let binding = Self.binding(plaintext) else { return nil }
            return OpenedSession(
                binding: binding, fingerprint: SessionFingerprint(value: SessionCipher.digest(bytes)))
        }
        return nil
    }

    /// What the session id `text` says, or `nil`.
    public func open(_ text: some Collection<UInt8>, adapter: String, principal: String) -> OpenedSession? {
        Array(text).withUnsafeBytes { open($0, adapter: adapter, principal: principal) }
    }

    /// The fingerprint of a session id that this gateway has just sealed, the same as when it is opened.
    public static func fingerprint(of text: [UInt8]) -> SessionFingerprint? {
        Base64.decode(text, .url).map { SessionFingerprint(value: SessionCipher.digest($0)) }
    }

    private static func binding(_ plaintext: [UInt8]) -> SessionBinding? {
        guard plaintext.count > bindingLength, let kind = SessionBinding.Kind(rawValue: plaintext[0]) else {
            return nil
        }
        return SessionBinding(
            kind: kind,
            ordinal: number(plaintext[1..<5], as: UInt32.self),
            incarnation: IncarnationDigest(value: number(plaintext[5..<bindingLength], as: UInt128.self)),
            upstream: Array(plaintext[bindingLength...]))
    }

    private static func number<Number: FixedWidthInteger>(_ bytes: ArraySlice<UInt8>, as type: Number.Type) -> Number {
        bytes.reduce(0) { $0 << 8 | Number($1) }
    }

    private static func context(_ head: [UInt8], _ adapter: String, _ principal: String) -> [UInt8] {
        var context = head
        for part in [adapter, principal] {
            context += UInt32(part.utf8.count).bigEndianBytes
            context += part.utf8
        }
        return context
    }
}
