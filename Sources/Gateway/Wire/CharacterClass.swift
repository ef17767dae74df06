// SPDX-License-Identifier: MIT

/// Sets of ASCII characters as 128 bits: membership is a shift and a mask, with no memory to touch and nothing to set up.
///
/// The bits are written out so that the compiler sees constants; a test compares them with the grammar.
struct CharacterClass {
    /// What a method and a field name are made of (RFC 9110 §5.6.2).
    static var token: CharacterClass { CharacterClass(0x03FF_6CFA_0000_0000, 0x57FF_FFFF_C7FF_FFFE) }

    /// What a request target may be made of: visible ASCII without the characters that no URI has.
    static var target: CharacterClass { CharacterClass(0xAFFF_FFF2_0000_0000, 0x47FF_FFFE_AFFF_FFFF) }

    /// What the name of a host may be made of (RFC 3986 §3.2.2), without the comma, which would make a list of it.
    static var host: CharacterClass { CharacterClass(0x2BFF_6FF2_0000_0000, 0x47FF_FFFE_87FF_FFFE) }

    private let low: UInt64
    private let high: UInt64

    @inline(__always)
    private init(_ low: UInt64, _ high: UInt64) {
        self.low = low
        self.high = high
    }

    /// Whether `byte` is in the set.
    @inline(__always)
    func contains(_ byte: UInt8) -> Bool {
        byte < 128 && (byte < 64 ? low : high) >> UInt64(byte & 63) & 1 == 1
    }
}
