// SPDX-License-Identifier: MIT

import JSON
import Testing

@Suite("JSON")
struct JSONParserTests {
    private func parse(_ text: String) throws -> JSONValue { try JSONParser.parse(Array(text.utf8)) }

    @Test("what was written is read back")
    func roundTrip() throws {
        let value: JSONValue = .object([
            "text": "a \"quoted\" \\ line\n\t\u{1}\u{7F} é 😀 \u{2028}",
            "numbers": .array([0, -1, 9_007_199_254_740_993]),
            "flags": .array([true, false, .null]), "nothing": .object([:]), "": .array([]),
        ])
        #expect(try JSONParser.parse(value.bytes) == value)
    }

    @Test(
        "numbers without a fraction are whole",
        arguments: [("1", 1), ("1.0", 1), ("-0", 0), ("1e2", 100), ("1.5e1", 15), ("9223372036854775807", Int64.max)])
    func wholeNumbers(text: String, number: Int64) throws {
        #expect(try parse(text) == .integer(number))
    }

    @Test("fractions and numbers beyond 64 bits are numbers")
    func fractions() throws {
        #expect(try parse("1.5") == .number(1.5))
        #expect(try parse("1e300") == .number(1e300))
    }

    @Test("escapes stand for their characters, surrogate pairs for one")
    func escapes() throws {
        #expect(try parse(#""\u0041\/\b\f\n\r\t\"\\\uD83D\uDE00\u0000""#) == "A/\u{8}\u{C}\n\r\t\"\\😀\u{0}")
    }

    @Test("a byte order mark and white space around the value are passed over")
    func surroundings() throws {
        #expect(try JSONParser.parse([0xEF, 0xBB, 0xBF] + Array(" \t\r\n{ } \n".utf8)) == .object([:]))
    }

    @Test(
        "what is not JSON is refused",
        arguments: [
            "", " ", "{", "[", "[1", "[1,", "[1,]", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,}", "{a:1}", "{'a':1}",
            "nul",
            "nulls", "tru", "01", "-", "1.", ".5", "+1", "1e", "1e999", "NaN", "Infinity", "\"", "\"a", "\"\\",
            "\"\\x\"",
            "\"\\u12\"", "\"\\u12G4\"", "\"\\uD83D\"", "\"\\uDE00\"", "\"\\uD83D\\u0041\"", "\"a\nb\"", "\"\u{0}\"",
            "1 2",
            "{} {}", "{\"a\":1,\"a\":2}", "[1 2]", "{\"a\" 1}", "//", "\u{0}",
        ])
    func refused(text: String) {
        #expect(throws: JSONError.self) { try parse(text) }
    }

    @Test("bytes that are not UTF-8 are refused")
    func notUTF8() {
        for bytes: [UInt8] in [[0x22, 0xFF, 0x22], [0x22, 0xC0, 0x80, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22]] {
            #expect(throws: JSONError.self) { try JSONParser.parse(bytes) }
        }
    }

    @Test("values may be nested 32 deep and no deeper")
    func depth() throws {
        let nested = { (depth: Int) in String(repeating: "[", count: depth) + String(repeating: "]", count: depth) }
        _ = try parse(nested(JSONParser.maximumDepth + 1))
        #expect(throws: JSONError.self) { try parse(nested(JSONParser.maximumDepth + 2)) }
        #expect(throws: JSONError.self) { try parse(String(repeating: "[", count: 1_000_000)) }
    }

    @Test("an error says where it is")
    func offset() {
        #expect(throws: JSONError(offset: 5, message: "a value is expected")) { try parse("{\"a\":x}") }
    }
}
