// SPDX-License-Identifier: MIT

import MCPProtocol
import Testing

@Suite("Envelope edits")
struct EnvelopeEditTests {
    private func edit(_ location: Envelope.Location?, _ text: String) throws -> EnvelopeEdit {
        EnvelopeEdit(try #require(location).range, Array(text.utf8))
    }

    @Test("ids are replaced and everything else stays byte for byte")
    func request() throws {
        let text =
            #" { "id" :"a\"b", "x": [1.0, 2e5] , "method":"m","params":{"_meta":{"progressToken" : 3 }, "z":"\/"},"jsonrpc":"2.0"} "#
        let envelope = try scan(text)
        let edits = [try edit(envelope.metaProgressToken, "\"p-9\""), try edit(envelope.idLocation, "42")]
        let result = String(decoding: EnvelopeEdit.apply(edits, to: Array(text.utf8)), as: UTF8.self)
        #expect(
            result
                == #" { "id" :42, "x": [1.0, 2e5] , "method":"m","params":{"_meta":{"progressToken" : "p-9" }, "z":"\/"},"jsonrpc":"2.0"} "#
        )
    }

    @Test("the ids of notifications and results are found")
    func otherPlaces() throws {
        let cancelled = #"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"r","reason":"x"}}"#
        #expect(Envelope.bytes(try scan(cancelled).requestID, of: cancelled) == #""r""#)
        let progress = #"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":5,"progress":1}}"#
        #expect(Envelope.bytes(try scan(progress).progressToken, of: progress) == "5")
        let result =
            #"{"jsonrpc":"2.0","id":1,"result":{"_meta":{"io.modelcontextprotocol/subscriptionId":"s"},"protocolVersion":"2025-06-18"}}"#
        let envelope = try scan(result)
        #expect(Envelope.bytes(envelope.resultSubscriptionID, of: result) == #""s""#)
        #expect(envelope.resultVersion.string == "2025-06-18")
        let changed =
            #"{"jsonrpc":"2.0","method":"notifications/x","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":true}}}"#
        #expect(Envelope.bytes(try scan(changed).subscriptionID, of: changed) == "true")
    }

    @Test("an edit of a slice counts from the start of the slice")
    func slices() {
        let bytes = Array("xxabcdyy".utf8)
        #expect(EnvelopeEdit.apply([EnvelopeEdit(1..<3, [0x2D])], to: bytes[2..<6]) == Array("a-d".utf8))
        #expect(EnvelopeEdit.apply([], to: bytes[2..<6]) == Array("abcd".utf8))
        #expect(
            EnvelopeEdit.apply([EnvelopeEdit(4..<4, [0x2B]), EnvelopeEdit(0..<0, [0x2D])], to: bytes[2..<6])
                == Array("-abcd+".utf8))
    }
}
