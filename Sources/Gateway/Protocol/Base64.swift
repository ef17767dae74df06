// SPDX-License-Identifier: MIT

/// Base 64 (RFC 4648), read strictly: one text for one value.
public enum Base64 {
    /// Which of the two alphabets of RFC 4648.
    public enum Alphabet: Sendable {
        /// §4, with padding.
        case standard
        /// §5, without padding.
        case url
    }

    /// The bytes that `text` stands for, or `nil` where it has a foreign character, white space, wrong padding, or
    /// unused bits that are not zero.
    public static func decode(_ text: some BidirectionalCollection<UInt8>, _ alphabet: Alphabet) -> [UInt8]? {
        var digits = text.count
        if alphabet == .standard {
            guard digits % 4 == 0 else { return nil }
            var tail = text.suffix(2)
            while digits > 0, tail.last == UInt8(ascii: "=") {
                tail = tail.dropLast()
                digits -= 1
            }
        }
        guard digits % 4 != 1 else { return nil }
        var result: [UInt8] = []
        result.reserveCapacity(digits * 3 / 4)
        var bits: UInt32 = 0
        var bitCount = 0
        for byte in text.prefix(digits) {
            guard let value = value(of: byte, alphabet) else { return nil }
            bits = bits << 6 | value
            bitCount += 6
            if bitCount >= 8 {
                bitCount -= 8
                result.append(UInt8(truncatingIfNeeded: bits >> UInt32(bitCount)))
                bits &= (1 << UInt32(bitCount)) - 1
            }
        }
        return bits == 0 ? result : nil
    }

    /// The text of `bytes`.
    public static func encode(_ bytes: some Collection<UInt8>, _ alphabet: Alphabet) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity((bytes.count + 2) / 3 * 4)
        var bits: UInt32 = 0
        var bitCount = 0
        for byte in bytes {
            bits = bits << 8 | UInt32(byte)
            bitCount += 8
            while bitCount >= 6 {
                bitCount -= 6
                result.append(digit(bits >> UInt32(bitCount) & 0x3F, alphabet))
            }
            bits &= (1 << UInt32(bitCount)) - 1
        }
        if bitCount > 0 { result.append(digit(bits << UInt32(6 - bitCount) & 0x3F, alphabet)) }
        while alphabet == .standard, result.count % 4 != 0 { result.append(UInt8(ascii: "=")) }
        return result
    }

    private static func value(of byte: UInt8, _ alphabet: Alphabet) -> UInt32? {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(byte - 0x41)
        case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(byte - 0x61 + 26)
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte - 0x30 + 52)
        case UInt8(ascii: "+") where alphabet == .standard: 62
        case UInt8(ascii: "/") where alphabet == .standard: 63
        case UInt8(ascii: "-") where alphabet == .url: 62
        case UInt8(ascii: "_") where alphabet == .url: 63
        default: nil
        }
    }

    private static func digit(_ value: UInt32, _ alphabet: Alphabet) -> UInt8 {
        switch value {
        case 0..<26: UInt8(value) + 0x41
        case 26..<52: UInt8(value) - 26 + 0x61
        case 52..<62: UInt8(value) - 52 + 0x30
        case 62: alphabet == .standard ? UInt8(ascii: "+") : UInt8(ascii: "-")
        default: alphabet == .standard ? UInt8(ascii: "/") : UInt8(ascii: "_")
        }
    }
}
