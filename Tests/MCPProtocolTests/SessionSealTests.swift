// SPDX-License-Identifier: MIT

import MCPProtocol
import Testing

@Suite("Session seal")
struct SessionSealTests {
    private let ring = SessionKeyRing.generate()

    private func binding(
        _ upstream: String = "upstream-id", kind: SessionBinding.Kind = .streamable
    ) throws -> SessionBinding {
        try #require(
            SessionBinding(
                kind: kind, ordinal: 2, incarnation: IncarnationDigest("boot:1:2"), upstream: Array(upstream.utf8)))
    }

    @Test(
        "a session id opens to what was sealed, whatever the upstream's id is",
        arguments: [
            "a", "!~", String(repeating: "x", count: 32), String(repeating: "~", count: 4096),
            "/messages?session_id=%20&x=1",
        ])
    func roundTrip(_ upstream: String) throws {
        let seal = SessionSeal(ring)
        for kind in [SessionBinding.Kind.streamable, .eventStream] {
            let binding = try binding(upstream, kind: kind)
            let id = try #require(seal.seal(binding, adapter: "example", principal: "me"))
            #expect(
                id.allSatisfy {
                    $0 == 0x2D || $0 == 0x5F || (0x30...0x39).contains($0) || (0x41...0x5A).contains($0)
                        || (0x61...0x7A).contains($0)
                })
            #expect(id.count <= SessionSeal.maximumLength)
            let opened = try #require(seal.open(id, adapter: "example", principal: "me"))
            #expect(opened.binding == binding)
            #expect(opened.fingerprint == SessionSeal.fingerprint(of: id))
        }
    }

    @Test("the form of a session id is fixed: another implementation of what is documented makes the same one")
    func golden() throws {
        // Made with Python: HKDF-SHA256, HMAC-SHA256 and AES-256-GCM of its cryptography package.
        let expected = "AfJ1kuInfBiq2eQv6J7jzABIjjftWzkkbZrWR4WTNWyLaF418nBbNbEtVFNCHDjqK7rbOtpec6Y-X2R30VAhnMo"
        let seal = SessionSeal(try SessionKeyRing(parsing: "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="))
        let id = try #require(seal.seal(binding(), adapter: "example", principal: "me"))
        #expect(String(decoding: id, as: UTF8.self) == expected)
        #expect(SessionSeal.fingerprint(of: id)?.description == "031ae39c2dbbcf5978a1bfda8c73deed")
    }

    @Test("one binding always gets one id, different bindings different ones")
    func stability() throws {
        let seal = SessionSeal(ring)
        let first = try #require(seal.seal(binding(), adapter: "example", principal: "me"))
        #expect(seal.seal(try binding(), adapter: "example", principal: "me") == first)
        #expect(seal.seal(try binding("upstream-ie"), adapter: "example", principal: "me") != first)
        let other = try #require(seal.seal(binding(), adapter: "example", principal: "you"))
        #expect(other != first)
        // Not even the nonce is shared.
        #expect(other.dropFirst(7).prefix(12) != first.dropFirst(7).prefix(12))
    }

    @Test("a session id does not open for another principal or adapter, nor where their names are cut differently")
    func foreign() throws {
        let seal = SessionSeal(ring)
        let id = try #require(seal.seal(binding(), adapter: "example", principal: "me"))
        #expect(seal.open(id, adapter: "example", principal: "you") == nil)
        #expect(seal.open(id, adapter: "other", principal: "me") == nil)
        #expect(seal.open(id, adapter: "examplem", principal: "e") == nil)
        #expect(seal.open(id, adapter: "", principal: "exampleme") == nil)
    }

    @Test("no altered session id opens: every changed, missing or added character is noticed")
    func tampering() throws {
        let seal = SessionSeal(ring)
        let id = try #require(seal.seal(binding("0123456789"), adapter: "example", principal: "me"))
        for index in id.indices {
            var removed = id
            removed.remove(at: index)
            #expect(seal.open(removed, adapter: "example", principal: "me") == nil)
            #expect(seal.open(id[..<index], adapter: "example", principal: "me") == nil)
            for character in "AQgw_-0=+/ \u{0}é".utf8 where character != id[index] {
                var changed = id
                changed[index] = character
                #expect(seal.open(changed, adapter: "example", principal: "me") == nil)
                var added = id
                added.insert(character, at: index)
                #expect(seal.open(added, adapter: "example", principal: "me") == nil)
            }
        }
        #expect(seal.open(id + Array("=".utf8), adapter: "example", principal: "me") == nil)
        #expect(seal.open(id + Array("AAAA".utf8), adapter: "example", principal: "me") == nil)
    }

    @Test("the key that was first before still opens; a removed one no longer does")
    func rotation() throws {
        let old = SessionKeyRing.generate()
        let new = SessionKeyRing.generate()
        let both = try SessionKeyRing(parsing: new.secretText + old.secretText)
        let id = try #require(SessionSeal(old).seal(binding(), adapter: "a", principal: "p"))
        #expect(SessionSeal(both).open(id, adapter: "a", principal: "p")?.binding == (try binding()))
        #expect(SessionSeal(new).open(id, adapter: "a", principal: "p") == nil)
        let fresh = try #require(SessionSeal(both).seal(binding(), adapter: "a", principal: "p"))
        #expect(SessionSeal(new).open(fresh, adapter: "a", principal: "p") != nil)
        #expect(SessionSeal(old).open(fresh, adapter: "a", principal: "p") == nil)
    }

    @Test("an upstream's id that is empty, too long or not visible ASCII can't be bound")
    func upstreamIDs() {
        let digest = IncarnationDigest("i")
        for bytes in [[], [0x20], [0x61, 0x7F], [0x0A], [0xC3, 0xA9], [UInt8](repeating: 0x61, count: 4097)]
            as [[UInt8]]
        {
            #expect(SessionBinding(kind: .streamable, ordinal: 0, incarnation: digest, upstream: bytes) == nil)
        }
    }

    @Test("different incarnations have different digests")
    func incarnations() {
        #expect(IncarnationDigest("a:1") == IncarnationDigest("a:1"))
        #expect(IncarnationDigest("a:1") != IncarnationDigest("a:2"))
    }

    @Test("fingerprints are written as 32 digits and read back")
    func fingerprints() {
        let fingerprint = SessionFingerprint(value: 0xAB)
        #expect(fingerprint.description == "000000000000000000000000000000ab")
        #expect(SessionFingerprint(fingerprint.description) == fingerprint)
        for text in [
            "", "ab", "000000000000000000000000000000AB", "+00000000000000000000000000000ab",
            "000000000000000000000000000000abc",
        ] {
            #expect(SessionFingerprint(text) == nil)
        }
    }
}

@Suite("Session key ring")
struct SessionKeyRingTests {
    private static let hex = "00112233445566778899AABBCCDDEEFF00112233445566778899aabbccddeeff"
    private static let base64 = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

    @Test(
        "keys are read in either form, with names, comments, blank lines and any line ending",
        arguments: [
            (hex, 1), (base64, 1), ("k1:\(base64)", 1), ("k1: \(hex)\r\n", 1),
            ("# keys\n\n \(hex) # newest\n\t\(base64)\n", 2),
            ("a.b-c_D9:\(hex)\nold:\(base64)", 2),
        ])
    func parsing(_ text: String, _ count: Int) throws {
        let ring = try SessionKeyRing(parsing: text)
        #expect(ring.count == count)
        #expect(try SessionKeyRing(parsing: ring.secretText).secretText == ring.secretText)
    }

    @Test(
        "what is no key file is refused with the line",
        arguments: [
            ("", SessionKeyRingError.noKey), ("# nothing\n", .noKey), ("abc", .malformedKey(line: 1)),
            ("\(hex)\n\(hex)0", .malformedKey(line: 2)), ("\(hex)\n\nk:\(hex)", .repeatedKey(line: 3)),
            (":\(hex)", .malformedKey(line: 1)),
            ("a b:\(hex)", .malformedKey(line: 1)), ("AAEC", .malformedKey(line: 1)),
            (String(base64.dropLast()), .malformedKey(line: 1)),
            (String(hex.dropLast()) + "g", .malformedKey(line: 1)),
        ])
    func refusal(_ text: String, _ error: SessionKeyRingError) {
        #expect(throws: error) { try SessionKeyRing(parsing: text) }
    }

    @Test("a ring has at most 16 keys")
    func bound() throws {
        let keys = (0..<17).map { _ in SessionKeyRing.generate().secretText }
        #expect(try SessionKeyRing(parsing: keys.dropLast().joined()).count == 16)
        #expect(throws: SessionKeyRingError.tooManyKeys) { try SessionKeyRing(parsing: keys.joined()) }
    }

    @Test("no description shows a key")
    func redaction() throws {
        let ring = try SessionKeyRing(parsing: Self.hex)
        var dumped = ""
        dump(ring, to: &dumped)
        for text in ["\(ring)", String(reflecting: ring), dumped] {
            #expect(!text.lowercased().contains("aabb") && !text.contains("170") && text.contains("1"))
        }
    }
}
