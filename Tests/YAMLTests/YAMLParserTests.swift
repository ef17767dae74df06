// SPDX-License-Identifier: MIT

import Testing
import YAML

@Suite("YAML documents")
struct YAMLParserTests {
    private func parse(_ text: String) throws -> YAMLNode? { try YAMLParser.parse(Array(text.utf8)) }

    @Test("a mapping keeps the order, the lines and the nesting")
    func mapping() throws {
        let root = try #require(try parse("b: 1\na:\n  - x\n  - 'null'\n  -\n"))
        guard case .mapping(let entries) = root.content else { throw Failure() }
        #expect(entries.map(\.key) == ["b", "a"])
        #expect(entries.map(\.line) == [1, 2])
        guard case .sequence(let items) = entries[1].value.content else { throw Failure() }
        #expect(items.map(\.text) == ["x", "null", nil])
        #expect(items.map(\.isNull) == [false, false, true])
    }

    @Test("an empty document is nothing")
    func empty() throws {
        #expect(try parse("") == nil)
        #expect(try parse("# only a comment\n") == nil)
    }

    @Test(
        "what a configuration is better off without is refused with its line",
        arguments: [
            ("a: 1\na: 2\n", 2, "second time"),
            ("a: &x 1\nb: *x\n", 1, "anchors"),
            ("a: 1\n---\nb: 2\n", 2, "second document"),
            ("a: 1\n  b: 2\n", 2, ""),
            ("[a, b]: 1\n", 1, "plain word"),
            (String(repeating: "[", count: 40), 1, "32 levels"),
        ])
    func refused(text: String, line: Int, words: String) throws {
        let error = try #require(throws: YAMLError.self) { try parse(text) }
        #expect(error.line == line)
        #expect(words.isEmpty || error.message.contains(words))
    }

    private struct Failure: Error {}
}
