// SPDX-License-Identifier: MIT

import Testing

@testable import Wire

@Suite("Response heads")
struct ResponseHeadTests {
    typealias Response = ScannedHead.Response

    static let refused: [(String, HeadError)] = [
        ("HTTP/1.1 200 OK\nA: b\r\n\r\n", .badLine),
        ("HTTP/1.1 200 O\0K\r\n\r\n", .badStartLine),
        ("HTTP/1.1 200 O\u{7F}K\r\n\r\n", .badStartLine),
        ("HTTP/1.1 200 O\rK\r\n\r\n", .badLine),
        ("HTTP/1.1 20 OK\r\n\r\n", .badStartLine),
        ("HTTP/1.1 2000 OK\r\n\r\n", .badStartLine),
        ("HTTP/1.1 099 OK\r\n\r\n", .badStartLine),
        ("HTTP/1.1 2x0 OK\r\n\r\n", .badStartLine),
        ("HTTP/1.1  200 OK\r\n\r\n", .badStartLine),
        ("HTTP/1.1\r\n\r\n", .badStartLine),
        ("HTTP/1.1 200\tOK\r\n\r\n", .badStartLine),
        ("ICY 200 OK\r\nA: b\r\n\r\n", .badStartLine),
        ("\r\n\r\n", .badStartLine),
        ("HTTP/2.0 200 OK\r\n\r\n", .badVersion),
        ("HTTP/1.2 200 OK\r\n\r\n", .badVersion),
        ("HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", .badField),
        ("HTTP/1.1 200 OK\r\nA : b\r\n\r\n", .badField),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", .badLength),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", .badLength),
        ("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", .badLength),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", .badTransferCoding),
        ("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", .badTransferCoding),
    ]

    static let accepted: [(String, Response)] = [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n",
            Response(status: 200, framing: .length(2), fields: ["Content-Length=2"])
        ),
        ("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", Response(status: 200, fields: ["Content-Length=0"])),
        ("HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", Response(status: 200, fields: ["Content-Length=0"])),
        (
            "HTTP/1.1 999 B\u{E9} \t(x)\r\nContent-Length: 0\r\n\r\n",
            Response(status: 999, fields: ["Content-Length=0"])
        ),
        ("HTTP/1.1 200 OK\r\n\r\n", Response(status: 200, framing: .untilClose, keepsAlive: false)),
        (
            "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\n",
            Response(status: 200, framing: .untilClose, keepsAlive: false, fields: ["Connection=keep-alive"])
        ),
        (
            "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n",
            Response(status: 200, framing: .length(2), keepsAlive: false, fields: ["Content-Length=2"])
        ),
        (
            "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n",
            Response(status: 200, framing: .length(2), fields: ["Connection=keep-alive", "Content-Length=2"])
        ),
        (
            "HTTP/1.1 200 OK\r\nConnection: close, X-A\r\nTransfer-Encoding: chunked\r\n\r\n",
            Response(
                status: 200, framing: .chunked, keepsAlive: false, hopByHop: ["close", "X-A"],
                fields: ["Connection=close, X-A", "Transfer-Encoding=chunked"])
        ),
        // No body, whatever the fields say (RFC 9112 §6.3, 1)
        ("HTTP/1.1 100 Continue\r\n\r\n", Response(status: 100)),
        ("HTTP/1.1 204 No Content\r\n\r\n", Response(status: 204)),
        ("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", Response(status: 304, fields: ["Content-Length=9"])),
    ]

    @Test("what is malformed or ambiguous is refused for the rule it breaks", arguments: refused)
    func malformed(text: String, error: HeadError) {
        #expect(ScannedHead.reading(text, as: .response) == .refused(error))
    }

    @Test("a well-formed head is read as it was written", arguments: accepted)
    func wellFormed(text: String, response: Response) {
        var response = response
        response.length = text.utf8.count
        #expect(ScannedHead.reading(text, as: .response) == .response(response))
    }

    @Test("the answer to a HEAD has no body and the connection goes on")
    func answersHead() {
        for fields in ["Content-Length: 9\r\n", "Transfer-Encoding: chunked\r\n", ""] {
            let result = ScannedHead.reading("HTTP/1.1 200 OK\r\n\(fields)\r\n", as: .responseToHead)
            guard case .response(let response) = result else {
                Issue.record("\(result)")
                continue
            }
            #expect(response.framing == .none)
            #expect(response.keepsAlive)
        }
    }

    @Test("however the bytes of a head are cut, it is read the same")
    func cuts() {
        for text in Self.refused.map(\.0) + Self.accepted.map(\.0) {
            let bytes = Array(text.utf8)
            let whole = ScannedHead.reading(bytes, as: .response)
            for cut in bytes.indices {
                #expect(ScannedHead.reading(bytes, as: .response, cuts: [cut]) == whole, "\(text) cut at \(cut)")
            }
            #expect(ScannedHead.reading(bytes, as: .response, cuts: Array(bytes.indices)) == whole, "\(text)")
        }
    }
}
