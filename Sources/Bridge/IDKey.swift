// SPDX-License-Identifier: MIT

/// A JSON-RPC id or a progress token as something to look up: the same for every spelling of the same value.
///
/// A child may write `"a\u0062"` back as `"ab"` and `1e2` as `100`; the strings `"1"` and the number `1` stay two.
struct IDKey: Hashable, Sendable {
    /// The value in its plainest JSON spelling, except that escapes in strings are resolved.
    let bytes: [UInt8]

    /// The key of the JSON text of a string or a number.
    init(json text: some Collection<UInt8>) {
        if text.first == UInt8(ascii: "\"") {
            bytes = text.contains(UInt8(ascii: "\\")) ? Self.unescaped(Array(text)) : Array(text)
        } else {
            bytes = Self.plain(Array(text))
        }
    }

    private static func plain(_ text: [UInt8]) -> [UInt8] {
        if text.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) { return text }
        let string = String(decoding: text, as: UTF8.self)
        if let integer = Int64(string) { return Array(String(integer).utf8) }
        guard let number = Double(string) else { return text }
        // Beyond 2^53 a double no longer tells neighbours apart: such a number is compared as it is written.
        guard number.magnitude < 9_007_199_254_740_992 else { return text }
        if number == number.rounded() { return Array(String(Int64(number)).utf8) }
        return Array(String(number).utf8)
    }

    private static func unescaped(_ text: [UInt8]) -> [UInt8] {
        var units: [UInt16] = []
        var output: [UInt8] = []
        var index = 0
        func hex(_ start: Int) -> UInt16? {
            guard start + 4 <= text.count else { return nil }
            return UInt16(String(decoding: text[start..<start + 4], as: UTF8.self), radix: 16)
        }
        func flush() {
            guard !units.isEmpty else { return }
            output.append(contentsOf: String(decoding: units, as: UTF16.self).utf8)
            units = []
        }
        while index < text.count {
            guard text[index] == UInt8(ascii: "\\"), index + 1 < text.count else {
                flush()
                output.append(text[index])
                index += 1
                continue
            }
            let escape = text[index + 1]
            if escape == UInt8(ascii: "u"), let unit = hex(index + 2) {
                units.append(unit)
                index += 6
                continue
            }
            flush()
            switch escape {
            case UInt8(ascii: "b"): output.append(0x08)
            case UInt8(ascii: "f"): output.append(0x0C)
            case UInt8(ascii: "n"): output.append(0x0A)
            case UInt8(ascii: "r"): output.append(0x0D)
            case UInt8(ascii: "t"): output.append(0x09)
            default: output.append(escape)
            }
            index += 2
        }
        flush()
        return output
    }
}
