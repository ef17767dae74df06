// SPDX-License-Identifier: MIT

import Testing

@testable import Bridge

@Suite("Looking up ids")
struct IDKeyTests {
    @Test(
        "spellings of one value are one id",
        arguments: [
            ("1", "1.0"), ("100", "1e2"), ("0", "-0"), (#""ab""#, #""a\u0062""#), (#""/""#, #""\/""#),
            (#""\ud83d\ude00""#, "\"😀\""), (#""\n""#, #""\u000a""#), ("1.5", "15e-1"),
        ])
    func same(_ pair: (String, String)) {
        #expect(IDKey(json: pair.0.utf8) == IDKey(json: pair.1.utf8))
    }

    @Test(
        "different values are different ids",
        arguments: [
            ("1", #""1""#), ("1", "2"), ("1", "1.5"), ("9007199254740992", "9007199254740993"), (#""a""#, #""b""#),
            (#""a""#, #""A""#), ("9007199254740992.0", "9007199254740993.0"),
        ])
    func different(_ pair: (String, String)) {
        #expect(IDKey(json: pair.0.utf8) != IDKey(json: pair.1.utf8))
    }
}
