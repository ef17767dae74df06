// SPDX-License-Identifier: MIT

import Testing

@testable import Wire

/// Every way to cut `bytes` in two, the whole, and one byte at a time.
func everySplit(_ bytes: [UInt8]) -> [[[UInt8]]] {
    var splits = [[bytes], bytes.map { [$0] }]
    for cut in bytes.indices { splits.append([Array(bytes[..<cut]), Array(bytes[cut...])]) }
    return splits
}

@Suite("SSE parser and encoder")
struct SSEParserTests {
    private func parse(_ pieces: [[UInt8]]) throws -> [SSEEvent] {
        var parser = SSEParser()
        var events: [SSEEvent] = []
        for piece in pieces { events += try parser.consume(piece) }
        return events
    }

    private func data(_ text: String) -> [UInt8] { Array(text.utf8) }

    @Test(
        "a stream reads as WHATWG says, at every split",
        arguments: [
            ("data: a\n\n", [SSEEvent(data: Array("a".utf8))]),
            ("data:a\r\rdata:  b\r\r", [SSEEvent(data: Array("a".utf8)), SSEEvent(data: Array(" b".utf8))]),
            ("data: a\r\ndata: b\r\n\r\n", [SSEEvent(data: Array("a\nb".utf8))]),
            (
                "\u{FEFF}id: 1\nevent: endpoint\nretry: 50\ndata: /x\n\n",
                [SSEEvent(id: "1", name: "endpoint", data: Array("/x".utf8), retryMilliseconds: 50)]
            ),
            ("id: 7\ndata: \n\n", [SSEEvent(id: "7", data: [])]), ("data\n\n", [SSEEvent(data: [])]),
            ("id\n\n", [SSEEvent(id: "")]),
            (": comment\n\n:\ndata: x\n: more\n\n", [SSEEvent(data: Array("x".utf8))]), ("data: cut off\n", []),
            ("\n\n\r\r\n\n", []),
            ("id: a\u{0}b\ndata: x\n\n", [SSEEvent(data: Array("x".utf8))]),
            ("retry: 5x\ndata: x\n\n", [SSEEvent(data: Array("x".utf8))]),
            ("retry: 99999999999999999999\ndata: x\n\n", [SSEEvent(data: Array("x".utf8))]),
            ("event: a\nevent: b\ndata: é€😀\nfoo: bar\n\n", [SSEEvent(name: "b", data: Array("é€😀".utf8))]),
            ("data: a\n\r\ndata: b\r\n\n", [SSEEvent(data: Array("a".utf8)), SSEEvent(data: Array("b".utf8))]),
            (
                "data: a long line that spans many words of eight bytes each\n\n",
                [SSEEvent(data: Array("a long line that spans many words of eight bytes each".utf8))]
            ),
        ])
    func parsing(_ text: String, _ events: [SSEEvent]) throws {
        for split in everySplit(data(text)) { #expect(try parse(split) == events) }
    }

    @Test(
        "what is encoded reads back; line breaks in the data become line feeds",
        arguments: [
            (SSEEvent(), "\n"), (SSEEvent(id: "3", data: []), "id: 3\ndata: \n\n"),
            (
                SSEEvent(id: "3", name: "message", data: Array("{}".utf8), retryMilliseconds: 10),
                "id: 3\nevent: message\nretry: 10\ndata: {}\n\n"
            ),
            (SSEEvent(data: Array("a\nb\r\nc\rd\n".utf8)), "data: a\ndata: b\ndata: c\ndata: d\ndata: \n\n"),
            (SSEEvent(data: Array(" x".utf8)), "data:  x\n\n"),
            (SSEEvent(data: Array("\n\n".utf8)), "data: \ndata: \ndata: \n\n"),
        ])
    func encoding(_ event: SSEEvent, _ text: String) throws {
        #expect(String(decoding: event.encoded, as: UTF8.self) == text)
        let read = try parse([event.encoded])
        #expect(read.first?.id == event.id && read.first?.name == event.name)
        #expect(read.first?.retryMilliseconds == event.retryMilliseconds)
        #expect(
            read.first?.data?.count
                == event.data.map { String(decoding: $0, as: UTF8.self).replacing("\r\n", with: "\n").utf8.count })
    }

    @Test("comments are no events")
    func comments() throws {
        #expect(try parse([SSEEvent.comment(), SSEEvent.comment("ping")]) == [])
        #expect(String(decoding: SSEEvent.comment(), as: UTF8.self) == ":\n\n")
    }

    @Test("an event longer than the limit is refused; comments and other events don't add up")
    func limit() throws {
        var parser = SSEParser(maximumEventBytes: 20)
        for _ in 0..<10 { _ = try parser.consume(data(": a comment\ndata: 12345\n\n")) }
        #expect(throws: SSEError.eventTooLong) { try parser.consume(data("data: 1234567\ndata: 12\n\n")) }
        var other = SSEParser(maximumEventBytes: 20)
        #expect(throws: SSEError.eventTooLong) { try other.consume([UInt8](repeating: 0x61, count: 21)) }
    }
}

@Suite("SSE progress")
struct SSEProgressTests {
    private func watch(_ pieces: [[UInt8]]) -> SSEProgress {
        var progress = SSEProgress()
        for piece in pieces { _ = piece.withUnsafeBytes { progress.consume($0) } }
        return progress
    }

    @Test(
        "events, ids and the state at the end are known at every split",
        arguments: [
            ("", 0, false, true), ("data: x\n\n", 1, false, true), ("data: x\n", 0, false, false),
            ("data: x", 0, false, false), ("d", 0, false, false),
            ("id: 1\ndata: \n\n", 1, true, true), ("id:1\r\r", 1, true, true), ("id: 1\n", 0, false, false),
            ("id\n\n", 1, false, true),
            ("id: \n\n", 1, false, true), ("id:\n\n", 1, false, true), ("idx: 1\n\n", 1, false, true),
            ("data: id: 1\n\n", 1, false, true),
            (": ping\r\n\r\n", 0, false, true), (": ping\n", 0, false, true), (": pi", 0, false, false),
            ("data: x\n: c\n", 0, false, false),
            ("\u{FEFF}id: 1\r\n\r\n", 1, true, true), ("\u{FEFF}", 0, false, false),
            ("\u{FEFF}: x\n\u{FEFF}id: 1\n\n", 1, false, true),
            ("data: a\r\n\r\ndata: b\r\n\r\n", 2, false, true), ("data: a\r\rdata: b\r", 1, false, false),
            ("\n\n\n", 0, false, true),
        ])
    func progress(_ text: String, _ count: Int, _ hasID: Bool, _ isBetween: Bool) {
        for split in everySplit(Array(text.utf8)) {
            let progress = watch(split)
            #expect(progress.eventCount == count)
            #expect(progress.hasEventID == hasID)
            #expect(progress.isBetweenEvents == isBetween)
        }
    }

    @Test("the bytes of events that ended are told apart from the rest of a piece")
    func boundaries() {
        for (text, boundary) in [
            ("data: x\n\ndata: y", 9), ("data: x\r\n\r\ndata: y", 11), ("data: x\n\n", 9), ("data", 0),
            (": c\ndata: x\n", 4), ("\n", 1),
        ] {
            var progress = SSEProgress()
            #expect(Array(text.utf8).withUnsafeBytes { progress.consume($0) } == boundary)
        }
        var progress = SSEProgress()
        #expect(Array("data: x\r\n\r".utf8).withUnsafeBytes { progress.consume($0) } == 10)
        #expect(Array("\ndata".utf8).withUnsafeBytes { progress.consume($0) } == 1)
    }
}

@Suite("Endpoint event rewriter")
struct EndpointEventRewriterTests {
    private func rewrite(_ pieces: [[UInt8]], limit: Int = 64 << 10) throws -> (String, calls: [String]) {
        var rewriter = EndpointEventRewriter(maximumEventBytes: limit)
        var output: [UInt8] = []
        var calls: [String] = []
        for piece in pieces {
            try piece.withUnsafeBytes { pointer in
                try rewriter.consume(pointer, into: &output) { uri in
                    calls.append(String(decoding: uri, as: UTF8.self))
                    return uri.contains(0x0A) ? nil : Array("/new?s=1".utf8)
                }
            }
        }
        rewriter.finish(into: &output)
        return (String(decoding: output, as: UTF8.self), calls)
    }

    @Test(
        "only the data of the first endpoint event changes, at every split and with every line end",
        arguments: [
            ("event: endpoint\ndata: /messages?session_id=1\n\n", "event: endpoint\ndata: /new?s=1\n\n"),
            ("event: endpoint\r\ndata: /m\r\n\r\n", "event: endpoint\r\ndata: /new?s=1\r\n\r\n"),
            ("event: endpoint\rdata: /m\r\r", "event: endpoint\rdata: /new?s=1\r\r"),
            ("data:/m\nevent:endpoint\n\n", "data: /new?s=1\nevent:endpoint\n\n"),
            ("\u{FEFF}data: /m\nevent: endpoint\n\n", "\u{FEFF}data: /new?s=1\nevent: endpoint\n\n"),
            ("\u{FEFF}event: endpoint\ndata: /m\n\n", "\u{FEFF}event: endpoint\ndata: /new?s=1\n\n"),
            (
                ": hi\n\nevent: ping\ndata: /m\n\nid: 4\nevent: endpoint\n: c\ndata: /m\nretry: 3\n\nevent: endpoint\ndata: /second\n\n",
                ": hi\n\nevent: ping\ndata: /m\n\nid: 4\nevent: endpoint\n: c\ndata: /new?s=1\nretry: 3\n\nevent: endpoint\ndata: /second\n\n"
            ),
            (
                "data: endpoint\n\nevent: x\nevent: endpoint\ndata: /m\n\n\n\ndata: {}\r\n\r\ntail",
                "data: endpoint\n\nevent: x\nevent: endpoint\ndata: /new?s=1\n\n\n\ndata: {}\r\n\r\ntail"
            ),
        ])
    func rewriting(_ text: String, _ expected: String) throws {
        for split in everySplit(Array(text.utf8)) {
            let (output, calls) = try rewrite(split)
            #expect(output == expected)
            #expect(calls.count == 1)
        }
    }

    @Test(
        "a stream without an endpoint event passes byte for byte",
        arguments: [
            "", "data: x\n\n", "event: endpoint\ndata: /m\n", "event: endpoints\ndata: /m\n\n",
            "event: endpoint\nevent: message\ndata: x\n\n", ": a\r\n: b\rdata", "\u{FEFF}", "\r\n\r\n\n\r",
        ])
    func passing(_ text: String) throws {
        for split in everySplit(Array(text.utf8)) {
            let (output, calls) = try rewrite(split)
            #expect(output == text)
            #expect(calls.isEmpty)
        }
    }

    @Test(
        "an endpoint event that names nothing ends the stream",
        arguments: ["event: endpoint\n\n", "event: endpoint\ndata: a\ndata: b\n\n"])
    func invalid(_ text: String) {
        for split in everySplit(Array(text.utf8)) {
            #expect(throws: SSEError.invalidEndpoint) { try rewrite(split) }
        }
    }

    @Test("no more is held back than the limit allows, and comments are let go at once")
    func holding() throws {
        #expect(throws: SSEError.eventTooLong) { try rewrite([[UInt8](repeating: 0x61, count: 11)], limit: 10) }
        #expect(throws: SSEError.eventTooLong) { try rewrite([Array("data: 1\ndata: 2\n".utf8)], limit: 10) }
        var rewriter = EndpointEventRewriter()
        var output: [UInt8] = []
        try Array(": ping\ndata: x\n".utf8).withUnsafeBytes { try rewriter.consume($0, into: &output) { _ in nil } }
        #expect(String(decoding: output, as: UTF8.self) == ": ping\n")
        #expect(!rewriter.isDone)
    }
}

@Suite("Endpoint references")
struct EndpointReferenceTests {
    @Test(
        "a reference resolves against the stream's own target",
        arguments: [
            ("/messages?session_id=1", "/messages?session_id=1"),
            ("messages/?sessionId=a&b=%20", "/api/messages/?sessionId=a&b=%20"),
            ("?s=1", "/api/sse?s=1"), ("#f", "/api/sse?x=/y"), ("http://localhost:8080/m?s=1#frag", "/m?s=1"),
            ("HTTPS://user@[::1]:1/m", "/m"),
            ("//other/m?x", "/m?x"), ("http://h", "/"), ("http://h?q=1", "/?q=1"), ("../m", "/m"),
            ("../../m/./n/", "/m/n/"), ("/a/../..", "/"),
            ("/a/.", "/a/"), ("./m:x", "/api/m:x"), ("/m?redirect=http://x/../y", "/m?redirect=http://x/../y"),
            ("http://h//m", "//m"),
        ])
    func resolution(_ reference: String, _ target: String) {
        let result = EndpointReference.target(ArraySlice(reference.utf8), base: Array("/api/sse?x=/y".utf8))
        #expect(result.map { String(decoding: $0, as: UTF8.self) } == target)
    }

    @Test(
        "a reference that can't be posted to is refused",
        arguments: [
            "", " /m", "/m\n", "/é", "ftp://h/m", "mailto:x", "http:/m", "http:m", "///m", "http:///m",
            String(repeating: "a", count: 4097),
        ])
    func refusal(_ reference: String) {
        #expect(EndpointReference.target(ArraySlice(reference.utf8), base: Array("/sse".utf8)) == nil)
    }
}
