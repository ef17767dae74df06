// SPDX-License-Identifier: MIT

import MCPProtocol
import Testing

@Suite("Envelope scanner")
struct EnvelopeScannerTests {
    static let call = """
        {"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"add","arguments":{"a":1,"name":"no","_meta":{"x":[]}},\
        "_meta":{"progressToken":"p1","io.modelcontextprotocol/protocolVersion":"2026-07-28",\
        "io.modelcontextprotocol/clientCapabilities":{"id":{}},"io.modelcontextprotocol/subscriptionId":12}}}
        """

    @Test("a tool call yields method, name, id and metadata")
    func toolCall() throws {
        let envelope = try scan(Self.call)
        #expect(envelope.shape == .request)
        #expect(envelope.kind == .object)
        #expect(envelope.method.string == "tools/call")
        #expect(envelope.name.string == "add")
        #expect(envelope.uri == .absent)
        #expect(envelope.id == .number(ArraySlice("7".utf8)))
        #expect(envelope.metaVersion.string == "2026-07-28")
        #expect(envelope.clientCapabilitiesKind == .object)
        #expect(Envelope.bytes(envelope.idLocation, of: Self.call) == "7")
        #expect(Envelope.bytes(envelope.metaProgressToken, of: Self.call) == "\"p1\"")
        #expect(Envelope.bytes(envelope.subscriptionID, of: Self.call) == "12")
        #expect(envelope.requestID == nil)
    }

    @Test("members of arguments, of nested objects and of arrays are not mistaken for the message's")
    func nesting() throws {
        let envelope = try scan(
            #"{"a":{"method":"x","id":1},"params":{"arguments":{"name":"x","uri":"y"},"b":[{"name":"z"}]},"#
                + #""jsonrpc":"2.0","c":[{"jsonrpc":1}],"method":"m"}"#)
        #expect(envelope.shape == .notification)
        #expect(envelope.method.string == "m")
        #expect(envelope.name == .absent)
        #expect(envelope.uri == .absent)
    }

    @Test(
        "the shape of a message follows JSON-RPC 2.0 as MCP narrows it",
        arguments: [
            (#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, Envelope.Shape.request),
            (#"{"jsonrpc":"2.0","id":"a","method":"ping","params":{}}"#, .request),
            (#"{"jsonrpc":"2.0","id":-1.5e3,"method":"ping"}"#, .request),
            (#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, .notification),
            (#"{"jsonrpc":"2.0","id":1,"result":{}}"#, .response),
            (#"{"jsonrpc":"2.0","id":1,"result":null}"#, .response),
            (#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":""}}"#, .response),
            (#"{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":""}}"#, .response),
            (#"{"jsonrpc":"2.0","error":{"code":1,"message":""}}"#, .response),
            (#"{"jsonrpc":"2.0","id":null,"result":{}}"#, .invalid(.identifier)),
            (#"{"jsonrpc":"2.0","result":{}}"#, .invalid(.identifier)),
            (#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, .invalid(.identifier)),
            (#"{"jsonrpc":"2.0","id":true,"method":"ping"}"#, .invalid(.identifier)),
            (#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, .invalid(.identifier)),
            (#"{"jsonrpc":"2.0","id":[1],"method":"ping"}"#, .invalid(.identifier)),
            (#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#, .invalid(.response)),
            (#"{"jsonrpc":"2.0","id":1,"error":"no"}"#, .invalid(.response)),
            (#"{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}"#, .invalid(.method)),
            (#"{"jsonrpc":"2.0","id":1}"#, .invalid(.method)),
            (#"{"jsonrpc":"2.0","id":1,"method":2}"#, .invalid(.method)),
            (#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, .invalid(.version)),
            (#"{"jsonrpc":2.0,"id":1,"method":"ping"}"#, .invalid(.version)),
            (#"{"id":1,"method":"ping"}"#, .invalid(.version)),
            ("{}", .invalid(.version)),
            ("17", .invalid(.notAnObject)),
            ("-0.5e+10", .invalid(.notAnObject)),
            ("\"text\"", .invalid(.notAnObject)),
            (" null ", .invalid(.notAnObject)),
            ("true", .invalid(.notAnObject)),
            ("[]", .invalid(.batch)),
            ("[1]", .invalid(.batch)),
            ("[[]]", .invalid(.batch)),
            ("[{}]", .invalid(.batch)),
            (#"[{"jsonrpc":"2.0","method":"a"},2]"#, .invalid(.batch)),
            (#"[{"jsonrpc":"2.0","method":"a"}]"#, .batch),
        ])
    func shapes(_ text: String, _ shape: Envelope.Shape) throws {
        #expect(try scan(text).shape == shape)
        #expect(outcomesOfEverySplit(Array(text.utf8)).count == 1)
    }

    @Test(
        "what is not JSON is refused, at every split alike",
        arguments: [
            "", " ", "{", "[", "{]", "[}", "]", "}", "{,}", "[,]", "[1,]", #"{"a":1,}"#, #"{"a"}"#, #"{"a":}"#,
            #"{"a" 1}"#,
            #"{"a":1 "b":2}"#, #"{a:1}"#, "{'a':1}", "[1 2]", "1 2", "{}{}", "{} x", "nul", "nulL", "True", "tru",
            "truex",
            "[nulll]", "01", "-", "-a", "1.", "1.e1", ".5", "+1", "1e", "1e+", "1e+-1", "--1", "0x10", "1_000", "NaN",
            "Infinity",
            "\"", "\"a", "\"\\", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"\n\"", "\"\t\"", "\"\u{0}\"", "\u{FEFF}{}",
            "/**/{}",
            "{} //", "\"a\" \"b\"", "[\"a\":1]", #"{"a":1:2}"#, #"{1:2}"#, "\u{b}1", "\u{a0}1",
        ])
    func malformed(_ text: String) {
        let outcomes = outcomesOfEverySplit(Array(text.utf8))
        #expect(outcomes.count == 1)
        guard case .failure(let error)? = outcomes.first else {
            Issue.record("accepted")
            return
        }
        #expect(error.isSyntax)
    }

    @Test(
        "bytes that are not UTF-8 are refused",
        arguments: [
            [0x80], [0xC0, 0x80], [0xC1, 0xAD], [0xC3], [0xC3, 0x28], [0xE0, 0x80, 0x80], [0xE0, 0x9F, 0xBF],
            [0xED, 0xA0, 0x80], [0xE2, 0x82], [0xF0, 0x80, 0x80, 0x80], [0xF4, 0x90, 0x80, 0x80],
            [0xF5, 0x80, 0x80, 0x80],
            [0xFF], [0xF0, 0x9F, 0x98],
        ] as [[UInt8]])
    func notUTF8(_ bytes: [UInt8]) {
        let body = Array("{\"x\":\"12345678".utf8) + bytes + Array("\"}".utf8)
        let outcomes = outcomesOfEverySplit(body)
        #expect(outcomes.count == 1)
        #expect(throws: EnvelopeError.self) { try EnvelopeScanner.scan(body) }
    }

    @Test("every character may occur in texts and keys, however the bytes are split")
    func unicode() throws {
        let text = "{\"jsonrpc\":\"2.0\",\"ключ ¢€😀\u{10FFFF}\u{7FF}\u{800}\u{FFFF}\":\"é\",\"method\":\"м€😀\"}"
        let outcomes = outcomesOfEverySplit(Array(text.utf8))
        #expect(outcomes.count == 1)
        #expect(try outcomes.first?.get().method.string == "м€😀")
    }

    @Test(
        "escapes in names are undone before they are compared",
        arguments: [
            (#"a\"\\\/\b\f\n\r\tz"#, "a\"\\/\u{8}\u{c}\n\r\tz"), (#"\u0041\u00e9\u20AC"#, "Aé€"),
            (#"\ud83d\ude00"#, "😀"),
            (#"\uD83D\uDE00x"#, "😀x"), (#"tools\u002fcall"#, "tools/call"), ("\\u0000", "\u{0}"),
        ])
    func escapes(_ written: String, _ meant: String) throws {
        let text = #"{"jsonrpc":"2.0","\u006dethod":"\#(written)","p\u0061rams":{"n\u0061me":"\#(written)"}}"#
        let outcomes = outcomesOfEverySplit(Array(text.utf8))
        #expect(outcomes.count == 1)
        let envelope = try #require(try outcomes.first?.get())
        #expect(envelope.method.string == meant)
        #expect(envelope.name.string == meant)
    }

    @Test(
        "a lone surrogate is valid JSON and equals no text",
        arguments: [#"\ud800"#, #"\udc00"#, #"\ud800\ud800"#, #"\ud800x"#, #"\ud800\n"#, #"\udc00\ud800"#])
    func loneSurrogates(_ written: String) throws {
        let text = #"{"jsonrpc":"2.0","method":"\#(written)"}"#
        #expect(outcomesOfEverySplit(Array(text.utf8)).count == 1)
        let bytes = try #require(try scan(text).method.bytes)
        #expect(String(validating: bytes, as: UTF8.self) == nil)
    }

    @Test(
        "an id is kept as it was written",
        arguments: [
            "1", "-0", "1.50", "1E3", "12345678901234567890123", #""""#, #""1""#, #""é\u00e9\"\\""#, #""\ud800""#,
            #""😀""#,
        ])
    func identifiers(_ written: String) throws {
        let text = #"{"id" : \#(written) ,"jsonrpc":"2.0","method":"m"}"#
        let outcomes = outcomesOfEverySplit(Array(text.utf8))
        #expect(outcomes.count == 1)
        let envelope = try #require(try outcomes.first?.get())
        #expect(String(decoding: envelope.id.json, as: UTF8.self) == written)
        #expect(Envelope.bytes(envelope.idLocation, of: text) == written)
        #expect(envelope.shape == .request)
    }

    @Test("an id of 1024 bytes is kept, a longer one refused")
    func longIdentifiers() throws {
        func body(_ length: Int) -> String {
            #"{"jsonrpc":"2.0","method":"m","id":"\#(String(repeating: "i", count: length - 2))"}"#
        }
        #expect(try scan(body(1024)).id.json.count == 1024)
        #expect(throws: EnvelopeError.identifierTooLong(offset: 35)) { try scan(body(1025)) }
        let digits = String(repeating: "1", count: 2000)
        #expect(throws: EnvelopeError.identifierTooLong(offset: 6)) { try scan(#"{"id":\#(digits)}"#) }
    }

    @Test("texts longer than their bound are only noted")
    func longTexts() throws {
        let long = String(repeating: "é", count: 9000)
        let text =
            #"{"jsonrpc":"2.0","id":1,"method":"\#(long)","params":{"name":"\#(long)","uri":"x","taskId":"\#(long)\n"}}"#
        let bytes = Array(text.utf8)
        let envelope = try EnvelopeScanner.scan(bytes)
        #expect(envelope.method == .overlong)
        #expect(envelope.name == .overlong)
        #expect(envelope.taskID == .overlong)
        #expect(envelope.uri.string == "x")
        #expect(envelope.shape == .request)
        #expect(outcome(bytes.indices.map { bytes[$0...$0] }) == .success(envelope))
    }

    @Test("members of another type than text are noted with their type")
    func wrongKinds() throws {
        let envelope = try scan(
            #"{"jsonrpc":"2.0","method":"m","params":{"name":1,"uri":null,"taskId":{"a":1},"_meta":[]}}"#)
        #expect(envelope.name == .wrongKind(.number))
        #expect(envelope.uri == .wrongKind(.null))
        #expect(envelope.taskID == .wrongKind(.object))
        #expect(envelope.metaVersion == .absent)
        #expect(envelope.paramsKind == .object)
        #expect(try scan(#"{"jsonrpc":"2.0","method":"m","params":[{"name":"x"}]}"#).paramsKind == .array)
    }

    @Test(
        "a member that matters must not occur twice, in whatever spelling",
        arguments: [
            #"{"id":1,"id":1}"#, #"{"method":"a","method":"b"}"#, #"{"method":"a","\u006dethod":"b"}"#,
            #"{"jsonrpc":"2.0","jsonrpc":1}"#,
            #"{"params":{},"params":{}}"#, #"{"result":1,"result":2}"#, #"{"error":{},"error":{}}"#,
            #"{"params":{"name":"a","x":{},"name":"b"}}"#, #"{"params":{"uri":"a","uri":"b"}}"#,
            #"{"params":{"_meta":{},"_meta":{}}}"#, #"{"params":{"taskId":1,"taskId":2}}"#,
            #"{"params":{"_meta":{"progressToken":1,"progressToken":1}}}"#, #"{"result":{"_meta":{},"_meta":{}}}"#,
            #"{"Method":"a"}"#, #"{"ID":1}"#, #"{"paramſ":{}}"#, #"{"params":{"name":"a","Name":"b"}}"#,
            #"{"params":{"NAME":"a","name":"b"}}"#, #"{"params":{"Name":"a","NAME":"b"}}"#,
            #"{"params":{"tasKId":"a","taskId":"b"}}"#,
            #"{"params":{"ta\u017fkId":"a","taskId":"b"}}"#, #"{"params":{"tas\u212aId":"a","taskId":"b"}}"#,
            #"[{"method":"a","method":"b"}]"#,
        ])
    func duplicates(_ text: String) {
        let outcomes = outcomesOfEverySplit(Array(text.utf8))
        #expect(outcomes.count == 1)
        guard case .failure(.duplicateKey)? = outcomes.first else {
            Issue.record("\(outcomes)")
            return
        }
    }

    @Test(
        "members that don't matter may occur twice, and a lone one in another case in params",
        arguments: [
            #"{"a":1,"a":2}"#, #"{"params":{"arguments":{"name":1,"name":2}}}"#, #"{"params":{"URI":"x"}}"#,
            #"[{"method":"a"},{"method":"b"}]"#, #"{"params":{"name":"x"},"result":{"_meta":{}},"name":1}"#,
        ])
    func harmlessDuplicates(_ text: String) throws {
        _ = try scan(text)
    }

    @Test("containers nest 128 deep and no deeper")
    func depth() throws {
        func nested(_ open: String, _ close: String, _ depth: Int) -> String {
            String(repeating: open, count: depth) + (open == "[" ? "" : "1") + String(repeating: close, count: depth)
        }
        _ = try scan(nested("[", "]", 128))
        _ = try scan(nested(#"{"a":"#, "}", 128))
        #expect(throws: EnvelopeError.tooDeep(offset: 128)) { try scan(nested("[", "]", 129)) }
        #expect(throws: EnvelopeError.tooDeep(offset: 640)) { try scan(nested(#"{"a":"#, "}", 129)) }
    }

    @Test("a batch tells what is in it and where")
    func batch() throws {
        let text =
            #" [ {"jsonrpc":"2.0","id":1,"method":"a"} ,{"jsonrpc":"2.0","method":"b"},{"jsonrpc":"2.0","id":2,"result":{}}]"#
        let bytes = Array(text.utf8)
        #expect(outcomesOfEverySplit(bytes).count == 1)
        let batch = try #require(try scan(text).batch)
        #expect(batch.requestCount == 1)
        #expect(!batch.containsInitialize)
        #expect(!batch.containsModernMetadata)
        let elements = try batch.elements.map { try EnvelopeScanner.scan(bytes[$0]) }
        #expect(elements.map(\.shape) == [.request, .notification, .response])
        #expect(
            try scan(#"[{"jsonrpc":"2.0","id":1,"method":"initialize"}]"#).batch?.containsInitialize == true)
        #expect(
            try scan(
                #"[{"jsonrpc":"2.0","id":1,"method":"a","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"x"}}}]"#
            ).batch?.containsModernMetadata == true)
    }

    @Test("a batch has at most 256 messages")
    func longBatch() throws {
        func batch(_ count: Int) -> String { "[" + Array(repeating: "1", count: count).joined(separator: ",") + "]" }
        #expect(try scan(batch(256)).batch?.elements.count == 256)
        #expect(throws: EnvelopeError.batchTooLong(offset: 513)) { try scan(batch(257)) }
    }

    @Test("a scanner that failed fails again")
    func failureSticks() throws {
        var scanner = EnvelopeScanner()
        #expect(throws: EnvelopeError.malformed(offset: 1)) { try scanner.consume(Array("{]".utf8)) }
        #expect(throws: EnvelopeError.malformed(offset: 1)) { try scanner.consume(Array("{}".utf8)) }
        #expect(throws: EnvelopeError.malformed(offset: 1)) { try scanner.finish() }
    }

    @Test("the whole call reads the same at every split")
    func splitCall() {
        #expect(outcomesOfEverySplit(Array(Self.call.utf8)).count == 1)
    }
}
