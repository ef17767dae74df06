// SPDX-License-Identifier: MIT

import MCPProtocol
import Testing

@Suite("Gateway faults")
struct GatewayFaultTests {
    static let all: [(GatewayFault, status: Int, code: Int)] = [
        (.notJSON(.truncated), 400, -32700), (.notJSON(.malformed(offset: 3)), 400, -32700),
        (.notJSON(.duplicateKey(offset: 3)), 400, -32600), (.invalidRequest("x"), 400, -32600),
        (.invalidMetadata("x"), 400, -32602), (.headerMismatch("x"), 400, -32020),
        (.unsupportedVersion(requested: "a", supported: ["b"]), 400, -32022),
        (.methodNotAllowed(allow: "POST"), 405, -32600),
        (.notAcceptable, 406, -32600), (.unsupportedMediaType, 415, -32600),
        (.bodyTooLarge(limitBytes: 4), 413, -32600),
        (.headTooLarge, 431, -32600), (.malformedHTTP("x"), 400, -32600), (.requestTimedOut, 408, -32600),
        (.forbiddenOrigin, 403, -32600), (.misdirected, 421, -32600), (.unauthorized(challenge: "Bearer"), 401, -32600),
        (.insufficientScope(challenge: "Bearer"), 403, -32600), (.identityUnknown(retryAfterSeconds: 5), 503, -32603),
        (.forbidden, 403, -32600),
        (.tooManyRequests(retryAfterSeconds: 1), 429, -32600), (.sessionNotFound, 404, -32001),
        (.sessionRequired, 400, -32600),
        (.adapterNotFound, 404, -32600), (.routeNotFound, 404, -32600),
        (.unavailable(retryAfterSeconds: 2), 503, -32603),
        (.draining(retryAfterSeconds: 3), 503, -32603), (.upstreamFailed, 502, -32603),
        (.upstreamTimedOut, 504, -32603),
    ]

    @Test(
        "checklist 58: every fault has its status and code, and a body that echoes the id with its type",
        arguments: all.indices)
    func bodies(_ index: Int) throws {
        let (fault, status, code) = Self.all[index]
        #expect(fault.status == status)
        #expect(fault.code == code)
        #expect(!(-32099 ... -32023).contains(fault.code) && fault.code != -32021)
        #expect((fault.retryAfterSeconds != nil) == [429, 503].contains(status))
        #expect((fault.allow != nil) == (status == 405))
        for id in ["1", #""1""#, "1.50", #""\u0041\"""#] {
            let request = try scan(#"{"jsonrpc":"2.0","method":"m","id":\#(id)}"#)
            let body = fault.body(answering: request)
            let answer = try EnvelopeScanner.scan(body)
            #expect(answer.shape == .response && answer.hasError)
            #expect(answer.id == request.id)
            #expect(!body.contains(0x0A))
        }
        #expect(try EnvelopeScanner.scan(fault.body()).id == .null)
    }

    @Test("an unsupported version is answered with what is supported, escaped")
    func unsupportedVersion() {
        let fault = GatewayFault.unsupportedVersion(requested: "a\"\\\u{1}é", supported: ["2026-07-28", "x"])
        #expect(
            String(decoding: fault.body(), as: UTF8.self)
                == #"{"jsonrpc":"2.0","id":null,"error":{"code":-32022,"message":"Unsupported protocol version","data":{"supported":["2026-07-28","x"],"requested":"a\"\\\u0001é"}}}"#
        )
    }

    @Test("the id of a response that a client posts is not echoed, nor is that of a notification")
    func otherShapes() throws {
        #expect(
            try EnvelopeScanner.scan(
                GatewayFault.sessionNotFound.body(answering: scan(#"{"jsonrpc":"2.0","id":9,"result":{}}"#))
            ).id == .null)
        #expect(
            try EnvelopeScanner.scan(
                GatewayFault.sessionNotFound.body(answering: scan(#"{"jsonrpc":"2.0","method":"n"}"#))
            ).id == .null)
    }
}
