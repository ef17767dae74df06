// SPDX-License-Identifier: MIT

/// Stands in for the cryptography of session ids while fuzzing.
///
/// Nothing is encrypted, and instead of a tag there is a checksum of the context alone. A fuzzer could never guess a
/// tag, so with the real cipher it would see nothing of what is behind it.
struct SessionCipher: Sendable {
    static let nonceLength = 12
    static let tagLength = 16
    static let secretLength = 32

    let keyID: UInt32

    init(secret: [UInt8]) {
        precondition(secret.count == Self.secretLength, "a session key has 32 bytes")
        keyID = 0x4142_4344
    }

    func seal(_ plaintext: [UInt8], context: [UInt8]) -> [UInt8]? {
        [UInt8](repeating: 0x4E, count: Self.nonceLength) + plaintext + Self.digest(context).bigEndianBytes
    }

    func open(_ sealed: ArraySlice<UInt8>, context: [UInt8]) -> [UInt8]? {
        guard sealed.count >= Self.nonceLength + Self.tagLength,
            sealed.prefix(Self.nonceLength).allSatisfy({ $0 == 0x4E }),
            sealed.suffix(Self.tagLength).elementsEqual(Self.digest(context).bigEndianBytes)
        else { return nil }
        return Array(sealed.dropFirst(Self.nonceLength).dropLast(Self.tagLength))
    }

    static func digest(_ bytes: [UInt8]) -> UInt128 {
        // FNV-1a, over two halves.
        bytes.reduce(0x6C62_272E_07BB_0142_62B8_2175_6295_C58D) {
            ($0 ^ UInt128($1)) &* 0x0100_0000_0000_0000_0000_013B
        }
    }
}

extension FixedWidthInteger {
    var bigEndianBytes: [UInt8] {
        (0..<Self.bitWidth / 8).reversed().map { UInt8(truncatingIfNeeded: self >> Self($0 * 8)) }
    }
}
