// SPDX-License-Identifier: MIT

import RuntimeContract
import Testing

@testable import ProcessRuntime

@Suite("Lines of log files")
struct LogFormatTests {
    @Test(
        "a stamp is RFC 3339 in UTC and is read back",
        arguments: [
            (0, "1970-01-01T00:00:00.000Z "), (951_782_400_000, "2000-02-29T00:00:00.000Z "),
            (1_795_398_291_123, "2026-11-23T01:44:51.123Z "), (-1, "1969-12-31T23:59:59.999Z "),
        ] as [(Int64, String)])
    func stamp(_ milliseconds: Int64, _ text: String) {
        let timestamp = Timestamp(millisecondsSinceEpoch: milliseconds)
        let bytes = LogStamp.format(timestamp)
        #expect(String(decoding: bytes, as: UTF8.self) == text)
        #expect(LogStamp.parse(bytes[...]) == timestamp)
    }

    @Test("lines are the same however the bytes arrive", arguments: 1...7)
    func splitting(_ size: Int) {
        let bytes = Array("one\n\ntwo two\nlonger than ten\nrest".utf8)
        var splitter = LineSplitter(maximum: 10)
        var lines: [String] = []
        for start in stride(from: 0, to: bytes.count, by: size) {
            splitter.feed(bytes[start..<min(start + size, bytes.count)]) {
                lines.append(String(decoding: $0, as: UTF8.self))
            }
        }
        splitter.finish { lines.append(String(decoding: $0, as: UTF8.self)) }
        #expect(lines == ["one", "", "two two", "longer tha", "rest"])
    }
}
