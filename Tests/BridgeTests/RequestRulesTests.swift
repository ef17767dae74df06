// SPDX-License-Identifier: MIT

import NIOCore
import Testing

@testable import Bridge

@Suite("What a request must say")
struct RequestRulesTests {
    @Test(
        "Accept names the content types",
        arguments: [
            (["application/json, text/event-stream"], true, true), (["application/json"], true, false),
            (["text/event-stream"], false, true), (["*/*"], true, true), ([], false, false),
            (["text/html"], false, false),
            (["application/json", "text/event-stream"], true, true), (["APPLICATION/JSON;q=0.5,text/*"], true, true),
            (["application/json, text/event-stream;q=0"], true, false), (["application/jsonx"], false, false),
        ])
    func accept(_ values: [String], _ json: Bool, _ eventStream: Bool) {
        let accept = AcceptHeader(values)
        #expect(accept.json == json)
        #expect(accept.eventStream == eventStream)
    }

    @Test(
        "a content type is JSON or it is not",
        arguments: [
            ("application/json", true), ("application/json; charset=utf-8", true),
            ("Application/JSON;charset=\"UTF-8\"", true),
            ("text/plain", false), ("application/json; charset=latin1", false), ("application/jsonl", false),
            ("", false),
        ])
    func contentType(_ value: String, _ isJSON: Bool) {
        #expect(AcceptHeader.isJSON(value) == isJSON)
    }

    @Test("a missing content type is not JSON")
    func missingContentType() {
        #expect(!AcceptHeader.isJSON(nil))
    }

    private let local = OriginPolicy(allowedOrigins: ["https://example.com"], checksHost: true)

    @Test(
        "this machine and the allowed origins may call",
        arguments: [
            "http://localhost", "http://localhost:3000", "https://127.0.0.1:8080", "http://[::1]:1",
            "https://example.com",
        ])
    func allowedOrigin(_ origin: String) {
        #expect(local.refusal(origins: [origin], hosts: ["127.0.0.1:9"]) == nil)
    }

    @Test(
        "any other origin may not",
        arguments: [
            "http://evil.example.com", "null", "http://localhost.evil.com", "http://127.0.0.1.evil.com",
            "https://example.com:444", "http://example.com", "http://localhost:99999", "",
        ])
    func refusedOrigin(_ origin: String) {
        #expect(local.refusal(origins: [origin], hosts: ["localhost:9"]) == .origin)
    }

    @Test("the host must name this machine, once")
    func hosts() {
        #expect(local.refusal(origins: [], hosts: ["localhost"]) == nil)
        #expect(local.refusal(origins: [], hosts: ["LOCALHOST:80"]) == nil)
        #expect(local.refusal(origins: [], hosts: ["evil.example.com"]) == .host)
        #expect(local.refusal(origins: [], hosts: ["127.0.0.1.nip.io"]) == .host)
        #expect(local.refusal(origins: [], hosts: []) == .host)
        #expect(local.refusal(origins: [], hosts: ["localhost", "localhost"]) == .host)
        let open = OriginPolicy(allowedOrigins: [], checksHost: false)
        #expect(open.refusal(origins: [], hosts: ["anything"]) == nil)
        #expect(open.refusal(origins: ["http://evil.example.com"], hosts: ["anything"]) == .origin)
    }

    @Test("a pretty-printed body becomes one line that means the same")
    func oneLine() {
        let pretty = "{\r\n  \"a\": \"b\\nc\",\n\t\"d\": 1\n}\n"
        #expect(ByteBuffer(string: pretty).onOneLine() == ByteBuffer(string: "{  \"a\": \"b\\nc\",\t\"d\": 1}"))
    }

    @Test(
        "only proof of a modern server counts as modern",
        arguments: [
            (#""result":{"supportedVersions":["2026-07-28"]}"#, EraVerdict.modern),
            (#""result":{"supportedVersions":["2025-11-25","2026-07-28"]}"#, .modern),
            (#""result":{"supportedVersions":["2025-11-25"]}"#, .legacy), (#""result":{}"#, .legacy),
            (#""error":{"code":-32022,"message":"x","data":{"supported":["2027-01-01"]}}"#, .modern),
            (#""error":{"code":-32601,"message":"no such method"}"#, .legacy),
            (#""error":{"code":-32602,"message":"x"}"#, .legacy), (#""error":{}"#, .legacy),
        ])
    func era(_ member: String, _ verdict: EraVerdict) throws {
        #expect(EraVerdict(answer: try .of(#"{"jsonrpc":"2.0","id":"era",\#(member)}"#)) == verdict)
    }

    @Test("messages that do not answer the question settle nothing")
    func notAnAnswer() throws {
        #expect(EraVerdict(answer: try .notification("notifications/message")) == nil)
        #expect(EraVerdict(answer: try .response("1")) == nil)
    }

    @Test("session ids are long, visible and never the same")
    func sessionIDs() {
        let ids = (0..<1000).map { _ in SessionID.mint().text }
        #expect(Set(ids).count == 1000)
        #expect(ids.allSatisfy { $0.utf8.count == 48 && $0.utf8.allSatisfy { (0x21...0x7E).contains($0) } })
    }
}
