// SPDX-License-Identifier: MIT

import Testing

@testable import Wire

/// What a framing says of a body that comes in pieces.
private struct ReadBody: Equatable {
    var payload = ""
    /// How many bytes belong to the body.
    var used = 0
    var isComplete = false
    var error: HeadError?

    /// Reads with `next`.
    static func walking(_ pieces: [ArraySlice<UInt8>], _ framing: BodyFraming) -> ReadBody {
        var framing = framing
        var result = ReadBody()
        var payload: [UInt8] = []
        do {
            for piece in pieces where !framing.isComplete {
                result.used += try piece.withUnsafeBytes { bytes in
                    var offset = 0
                    while case .payload(let range) = try framing.next(bytes, at: &offset) { payload += bytes[range] }
                    return offset
                }
            }
        } catch {
            result = ReadBody(error: error as? HeadError)
        }
        result.payload = String(decoding: payload, as: UTF8.self)
        result.isComplete = framing.isComplete
        return result
    }

    /// Reads with `take`, which knows no payload.
    static func taking(_ pieces: [ArraySlice<UInt8>], _ framing: BodyFraming) -> ReadBody {
        var framing = framing
        var result = ReadBody()
        do {
            for piece in pieces where !framing.isComplete {
                result.used += try piece.withUnsafeBytes { bytes in try framing.take(bytes) }
            }
        } catch {
            result = ReadBody(error: error as? HeadError)
        }
        result.isComplete = framing.isComplete
        return result
    }
}

@Suite("Framing of bodies")
struct BodyFramingTests {
    private static let overhead = String(repeating: "x", count: BodyFraming.maximumOverhead + 1)

    /// Bodies in chunks, their payload, and what follows them.
    static let chunked: [(body: String, payload: String, rest: String)] = [
        ("0\r\n\r\n", "", ""),
        ("3\r\nabc\r\n0\r\n\r\n", "abc", "GET /"),
        ("3\r\nabc\r\n2\r\nde\r\n000\r\n\r\n", "abcde", "\r\n"),
        ("a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789", ""),
        ("3;a=b;c=\"d e\"\r\nabc\r\n0;x\r\n\r\n", "abc", ""),
        ("3 \t;a\r\nabc\r\n0\t\r\n\r\n", "abc", ""),
        ("000000000000003\r\nabc\r\n0\r\n\r\n", "abc", ""),
        ("4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n", ""),
        ("1\r\na\r\n0\r\nA: b\r\nC-D:\t\u{E4} e\r\nF:\r\n\r\n", "a", "x"),
    ]

    static let malformed: [String] = [
        "\r\n", "x\r\n", " 3\r\nabc\r\n", "-1\r\n", "+1\r\n", "0x3\r\nabc\r\n", ";a\r\n", "\n",
        "3\nabc\r\n", "3\rabc\r\n", "3;a\nabc\r\n", "3;a\0\r\n", "3;a\u{7F}\r\n", "3;a\rb\r\n",
        "3\r\nabcd\r\n", "3\r\nabc\n0\r\n\r\n", "3\r\nabc\rx", "3\r\nabc0\r\n\r\n",
        "1000000000000000\r\n", "ffffffffffffffffffffff\r\n",
        "0\r\nA\r\n\r\n", "0\r\n A: b\r\n\r\n", "0\r\nA : b\r\n\r\n", "0\r\nA: b\n\r\n", "0\r\nA: b\rc\r\n\r\n",
        "0\r\nA: \0\r\n\r\n", "0\r\nA: b\r\n c\r\n\r\n", "0\r\n: b\r\n\r\n", "0\r\n\n", "0\r\n\rx",
        "1;\(overhead)", "0\r\nA:\(overhead)",
    ]

    @Test("a body in chunks is its payload and ends where it ends, however it is cut", arguments: chunked)
    func chunks(body: String, payload: String, rest: String) {
        let bytes = Array((body + rest).utf8)
        let expected = ReadBody(payload: payload, used: body.utf8.count, isComplete: true)
        for pieces in Self.cuts(bytes) {
            #expect(ReadBody.walking(pieces, .chunked) == expected)
            var taken = expected
            taken.payload = ""
            #expect(ReadBody.taking(pieces, .chunked) == taken)
        }
    }

    @Test("every beginning of a body in chunks goes on")
    func beginnings() {
        for (body, _, _) in Self.chunked {
            let bytes = Array(body.utf8)
            for count in bytes.indices {
                let result = ReadBody.taking([bytes[..<count]], .chunked)
                #expect(result == ReadBody(used: count))
            }
        }
    }

    @Test("a malformed chunk is refused, however it is cut", arguments: malformed)
    func refused(body: String) {
        let bytes = Array(body.utf8)
        let limited = bytes.count > 1000 ? [[bytes[...]], bytes.indices.map { bytes[$0...$0] }] : Self.cuts(bytes)
        for pieces in limited {
            #expect(ReadBody.walking(pieces, .chunked).error == .badChunk)
            #expect(ReadBody.taking(pieces, .chunked).error == .badChunk)
        }
    }

    @Test("extensions and trailers may have as many bytes as the limit, together")
    func overhead() {
        func body(_ count: Int) -> ReadBody {
            let half = String(repeating: "x", count: count / 2)
            return ReadBody.taking([Array("1;\(half)\r\na\r\n0\r\nA:\(half)\r\n\r\n".utf8)[...]], .chunked)
        }
        #expect(body(BodyFraming.maximumOverhead - 16).isComplete)
        #expect(body(BodyFraming.maximumOverhead + 16).error == .badChunk)
    }

    @Test("a body of a length ends there, however it is cut")
    func length() {
        let bytes = Array("abcdef".utf8)
        for length in 0...6 {
            let framing = BodyFraming.length(UInt64(length))
            let payload = String(decoding: bytes[..<length], as: UTF8.self)
            for pieces in Self.cuts(bytes) {
                let expected = ReadBody(payload: payload, used: length, isComplete: true)
                #expect(ReadBody.walking(pieces, framing) == expected)
                #expect(ReadBody.taking(pieces, framing).used == length)
            }
        }
    }

    @Test("a body until the end of the connection takes everything and never ends")
    func untilClose() {
        let bytes = Array("abc".utf8)
        for pieces in Self.cuts(bytes) {
            #expect(ReadBody.walking(pieces, .untilClose) == ReadBody(payload: "abc", used: 3))
            #expect(ReadBody.taking(pieces, .untilClose).used == 3)
        }
    }

    @Test("the length to come is known only where it was announced")
    func remaining() throws {
        var fixed = BodyFraming.length(3)
        #expect(fixed.remainingLength == 3)
        _ = try Array("ab".utf8).withUnsafeBytes { try fixed.take($0) }
        #expect(fixed.remainingLength == 1)
        #expect(!fixed.isChunked && !fixed.isUntilClose && !fixed.isComplete)
        #expect(BodyFraming.none.remainingLength == 0 && BodyFraming.none.isComplete)
        #expect(BodyFraming.length(0) == .none)
        #expect(BodyFraming.chunked.remainingLength == nil && BodyFraming.chunked.isChunked)
        #expect(BodyFraming.untilClose.remainingLength == nil && BodyFraming.untilClose.isUntilClose)
    }

    /// `bytes` whole, in two pieces cut at every place, and byte by byte.
    private static func cuts(_ bytes: [UInt8]) -> [[ArraySlice<UInt8>]] {
        [[bytes[...]], bytes.indices.map { bytes[$0...$0] }] + bytes.indices.map { [bytes[..<$0], bytes[$0...]] }
    }
}
