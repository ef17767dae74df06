// SPDX-License-Identifier: MIT

import NIOCore
import Testing

@testable import HTTP

@Suite("Values of HTTP")
struct ValueTests {
    @Test(
        "seconds are written as HTTP writes them",
        arguments: [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"), (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_399, "Mon, 28 Feb 2000 23:59:59 GMT"), (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (951_868_800, "Wed, 01 Mar 2000 00:00:00 GMT"), (1_798_761_599, "Thu, 31 Dec 2026 23:59:59 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
        ])
    func date(seconds: Int64, text: String) {
        #expect(HTTPDate.text(secondsSinceEpoch: seconds) == text)
    }

    @Test("a line break in a value begins no line")
    func injection() {
        var buffer = ByteBuffer()
        ResponseHeadWriter.field("A", "b\r\nC: d\0e", into: &buffer)
        #expect(String(buffer: buffer) == "A: b  C: d e\r\n")
    }

    @Test("names of fields are compared without regard to case, values are kept in order")
    func headers() {
        var headers: HTTPHeaders = ["Accept": "a", "ACCEPT": "b", "X": "c"]
        #expect(headers["accept"] == "a")
        #expect(headers.values(of: "Accept") == ["a", "b"])
        headers.set("accept", "d")
        #expect(headers.values(of: "ACCEPT") == ["d"])
        #expect(headers["Accep"] == nil && headers["[ccept"] == nil)
    }

    @Test(
        "what is percent-encoded is decoded, and what only looks so is left",
        arguments: [
            ("a%20b", "a b"), ("%41", "A"), ("%4", "%4"), ("%", "%"), ("%zz", "%zz"), ("a+b", "a+b"),
            ("%C3%A4", "\u{E4}"), ("%FF", "\u{FFFD}"), ("", ""), ("%%41", "%A"),
        ])
    func percent(text: String, decoded: String) {
        #expect(PercentCoding.decode(text) == decoded)
    }

    @Test("a query is pairs, of which either half may be missing")
    func query() {
        let pairs = PercentCoding.query("a=1&b&&=c&d=e=f&g+h=%2B+").map { "\($0.name)|\($0.value)" }
        #expect(pairs == ["a|1", "b|", "|c", "d|e=f", "g h|+ "])
    }
}
