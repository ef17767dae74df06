// SPDX-License-Identifier: MIT

import Testing

@testable import Wire

/// The sets of characters as RFC 9110 and RFC 3986 write them.
enum Grammar {
    private static let alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    private static let unreserved = alphanumeric + "-._~"
    private static let subDelims = "!$&'()*+,;="

    /// RFC 9110 §5.6.2.
    static let token = Set((alphanumeric + "!#$%&'*+-.^_`|~").utf8)
    /// RFC 3986 §3.3 and §3.4, and the brackets that clients leave as they are in queries.
    static let target = Set((unreserved + subDelims + "%:@/?[]").utf8)
    /// RFC 3986 §3.2.2, without the comma, which would make a list of it.
    static let host = Set((unreserved + subDelims + "%").utf8).subtracting([UInt8(ascii: ",")])
}

@Suite("Character classes")
struct CharacterClassTests {
    @Test("the written-out bits are the sets of the grammar")
    func bits() {
        for byte in UInt8.min...UInt8.max {
            #expect(CharacterClass.token.contains(byte) == Grammar.token.contains(byte), "token \(byte)")
            #expect(CharacterClass.target.contains(byte) == Grammar.target.contains(byte), "target \(byte)")
            #expect(CharacterClass.host.contains(byte) == Grammar.host.contains(byte), "host \(byte)")
        }
    }
}
