// SPDX-License-Identifier: MIT

import Testing

@testable import Wire

/// Heads of requests and what is said of them.
enum RequestHeadSamples {
    typealias Request = ScannedHead.Request

    static let refused: [(String, HeadError)] = [
        // Line ends (RFC 9112 §2.2)
        ("GET / HTTP/1.1\nHost: h\r\n\r\n", .badLine),
        ("GET / HTTP/1.1\r\nHost: h\n\r\n", .badLine),
        ("GET / HTTP/1.1\r\nHost: h\r\n\n", .badLine),
        ("GET / HTTP/1.1\r\nHost: h\n\n", .badLine),
        ("GET / HTTP/1.1\r\nHost: h\r\nA: b\rc\r\n\r\n", .badLine),
        ("GET / HTTP/1.1\r\nHost: h\r\nA: b\r\r\n\r\n", .badLine),
        ("GET / HTTP/1.1\r\nHost: h\r\nA: b\0\r\n\r\n", .badLine),
        ("GET / HTTP/1.1\r\nHost: h\r\nA: \u{7F}\r\n\r\n", .badLine),
        ("GET / HTTP/1.1\r\nHost: h\r\nA: \u{1B}[1m\r\n\r\n", .badLine),
        // Request line (§3)
        ("\r\n\r\n", .badStartLine),
        ("\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", .badStartLine),
        ("\u{16}\u{3}\u{1}", .badStartLine),
        (" GET / HTTP/1.1\r\nHost: h\r\n\r\n", .badStartLine),
        ("GET\r\nHost: h\r\n\r\n", .badStartLine),
        ("GET \r\nHost: h\r\n\r\n", .badStartLine),
        ("GET /\r\nHost: h\r\n\r\n", .badStartLine),
        ("GET / \r\nHost: h\r\n\r\n", .badStartLine),
        ("GET /  HTTP/1.1\r\nHost: h\r\n\r\n", .badStartLine),
        ("GET / HTTP/1.1 \r\nHost: h\r\n\r\n", .badStartLine),
        ("GET / HTTP/1.1x\r\nHost: h\r\n\r\n", .badStartLine),
        ("GET / HTTP/11\r\nHost: h\r\n\r\n", .badStartLine),
        ("GET / HTTP/1\r\nHost: h\r\n\r\n", .badStartLine),
        ("GET / HTTP/1.\r\nHost: h\r\n\r\n", .badStartLine),
        ("GET / HTTP/\r\n\r\n", .badStartLine),
        ("GET / http/1.1\r\nHost: h\r\n\r\n", .badStartLine),
        ("GET / HTTP 1.1\r\nHost: h\r\n\r\n", .badStartLine),
        ("GET\t/ HTTP/1.1\r\nHost: h\r\n\r\n", .badStartLine),
        ("G(T / HTTP/1.1\r\nHost: h\r\n\r\n", .badStartLine),
        ("GET / HTTP/1.1\r\r\nHost: h\r\n\r\n", .badStartLine),
        // Version (§2.3)
        ("GET / HTTP/2.0\r\nHost: h\r\n\r\n", .badVersion),
        ("GET / HTTP/0.9\r\nHost: h\r\n\r\n", .badVersion),
        ("GET / HTTP/1.2\r\nHost: h\r\n\r\n", .badVersion),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", .badTarget),
        // Target (§3.2)
        ("GET h HTTP/1.1\r\nHost: h\r\n\r\n", .badTarget),
        ("GET * HTTP/1.1\r\nHost: h\r\n\r\n", .badTarget),
        ("OPTIONS ** HTTP/1.1\r\nHost: h\r\n\r\n", .badTarget),
        ("CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n\r\n", .badTarget),
        ("GET  / HTTP/1.1\r\nHost: h\r\n\r\n", .badTarget),
        ("GET /a\tb HTTP/1.1\r\nHost: h\r\n\r\n", .badTarget),
        ("GET /\u{E9} HTTP/1.1\r\nHost: h\r\n\r\n", .badTarget),
        ("GET /#a HTTP/1.1\r\nHost: h\r\n\r\n", .badTarget),
        ("GET /\0 HTTP/1.1\r\nHost: h\r\n\r\n", .badTarget),
        ("GET ftp://h/ HTTP/1.1\r\nHost: h\r\n\r\n", .badTarget),
        ("GET http:/h HTTP/1.1\r\nHost: h\r\n\r\n", .badTarget),
        ("GET http:///a HTTP/1.1\r\nHost: h\r\n\r\n", .badTarget),
        ("GET http://h HTTP/1.1\r\nHost: h\r\n\r\n", .badTarget),
        ("GET http://h?a=/b HTTP/1.1\r\nHost: h\r\n\r\n", .badTarget),
        ("GET http://u@h/ HTTP/1.1\r\nHost: h\r\n\r\n", .badTarget),
        ("GET http://h:x/ HTTP/1.1\r\nHost: h\r\n\r\n", .badTarget),
        // Fields (§5)
        ("GET / HTTP/1.1\r\nHost: h\r\nA\r\n\r\n", .badField),
        ("GET / HTTP/1.1\r\nHost: h\r\nA : b\r\n\r\n", .badField),
        ("GET / HTTP/1.1\r\nHost: h\r\nA\t: b\r\n\r\n", .badField),
        ("GET / HTTP/1.1\r\nHost: h\r\n: b\r\n\r\n", .badField),
        ("GET / HTTP/1.1\r\nHost: h\r\n A: b\r\n\r\n", .badField),
        ("GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n", .badField),
        ("GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n\tc\r\n\r\n", .badField),
        ("GET / HTTP/1.1\r\n Host: h\r\n\r\n", .badField),
        ("GET / HTTP/1.1\r\nHost: h\r\nA\u{E4}: b\r\n\r\n", .badField),
        ("GET / HTTP/1.1\r\nHost: h\r\nA\0: b\r\n\r\n", .badField),
        // Host (§3.2)
        ("GET / HTTP/1.1\r\n\r\n", .badHost),
        ("GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n", .badHost),
        ("GET / HTTP/1.0\r\nHost: h\r\nhost: h\r\n\r\n", .badHost),
        ("GET / HTTP/1.1\r\nHost:\r\n\r\n", .badHost),
        ("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", .badHost),
        ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", .badHost),
        ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", .badHost),
        ("GET / HTTP/1.1\r\nHost: u@h\r\n\r\n", .badHost),
        ("GET / HTTP/1.1\r\nHost: h:80x\r\n\r\n", .badHost),
        ("GET / HTTP/1.1\r\nHost: :80\r\n\r\n", .badHost),
        ("GET / HTTP/1.1\r\nHost: a:1:2\r\n\r\n", .badHost),
        ("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", .badHost),
        ("GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n", .badHost),
        ("GET / HTTP/1.1\r\nHost: []\r\n\r\n", .badHost),
        ("GET / HTTP/1.1\r\nHost: a[::1]\r\n\r\n", .badHost),
        ("GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n", .badHost),
        ("GET http://a/ HTTP/1.1\r\nHost: a:80\r\n\r\n", .badHost),
        // Length (§6.2, §6.3)
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length:\r\n\r\n", .badLength),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", .badLength),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +1\r\n\r\n", .badLength),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0x1\r\n\r\n", .badLength),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1 2\r\n\r\n", .badLength),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1,1\r\n\r\n", .badLength),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", .badLength),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", .badLength),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9999999999999999999\r\n\r\n", .badLength),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 18446744073709551617\r\n\r\n", .badLength),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", .badLength),
        ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", .badLength),
        ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", .badLength),
        // Transfer codings (§6.1, §7)
        ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", .badTransferCoding),
        ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", .badTransferCoding),
        ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, chunked\r\n\r\n", .badTransferCoding),
        ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked;q=1\r\n\r\n", .badTransferCoding),
        ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n", .badTransferCoding),
        ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:\r\n\r\n", .badTransferCoding),
        ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: identity\r\n\r\n", .badTransferCoding),
        ("POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", .badTransferCoding),
    ]

    static let accepted: [(String, Request)] = [
        ("GET / HTTP/1.1\r\nHost: h\r\n\r\n", Request(method: "GET", target: "/", fields: ["Host=h"])),
        ("GET / HTTP/1.0\r\n\r\n", Request(method: "GET", target: "/", isHTTP11: false, keepsAlive: false)),
        (
            "PATCH /a?b=[c]&d=%20 HTTP/1.1\r\nhOsT: h\r\n\r\n",
            Request(method: "PATCH", target: "/a?b=[c]&d=%20", fields: ["hOsT=h"])
        ),
        ("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", Request(method: "OPTIONS", target: "*", fields: ["Host=h"])),
        (
            "GET http://h:80/a?b HTTP/1.1\r\nHost: H:80\r\n\r\n",
            Request(method: "GET", target: "/a?b", fields: ["Host=H:80"])
        ),
        ("GET HTTPS://h/ HTTP/1.1\r\nHost: h\r\n\r\n", Request(method: "GET", target: "/", fields: ["Host=h"])),
        ("GET http://h/ HTTP/1.0\r\n\r\n", Request(method: "GET", target: "/", isHTTP11: false, keepsAlive: false)),
        (
            "GET / HTTP/1.1\r\nHost: [::1]:8000\r\n\r\n",
            Request(method: "GET", target: "/", fields: ["Host=[::1]:8000"])
        ),
        ("GET / HTTP/1.1\r\nHost: h:\r\n\r\n", Request(method: "GET", target: "/", fields: ["Host=h:"])),
        (
            "GET / HTTP/1.1\r\nHost:h\r\nA:\r\nB: \t \r\nC:\t c\t c \t\r\nD: \u{E4}\r\n\r\n",
            Request(method: "GET", target: "/", fields: ["Host=h", "A=", "B=", "C=c\t c", "D=\u{E4}"])
        ),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 12\r\n\r\n",
            Request(method: "POST", target: "/", framing: .length(12), fields: ["Host=h", "Content-Length=12"])
        ),
        (
            "POST / HTTP/1.1\r\nHost: h\r\ncontent-length:000\r\n\r\n",
            Request(method: "POST", target: "/", fields: ["Host=h", "content-length=000"])
        ),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 999999999999999999\r\n\r\n",
            Request(
                method: "POST", target: "/", framing: .length(999_999_999_999_999_999),
                fields: ["Host=h", "Content-Length=999999999999999999"])
        ),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n",
            Request(method: "POST", target: "/", framing: .chunked, fields: ["Host=h", "Transfer-Encoding=Chunked"])
        ),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\n",
            Request(
                method: "POST", target: "/", framing: .length(1), expectsContinue: true,
                fields: ["Host=h", "Expect=100-Continue", "Content-Length=1"])
        ),
        (
            "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n",
            Request(
                method: "POST", target: "/", isHTTP11: false, framing: .length(1), keepsAlive: false,
                fields: ["Expect=100-continue", "Content-Length=1"])
        ),
    ]

    /// Lines of `Connection`, whether it goes on in HTTP/1.1 and in HTTP/1.0, and what they list if there is a field.
    static let connections: [(lines: [String], in11: Bool, in10: Bool, hopByHop: [String])] = [
        ([], true, false, []),
        (["keep-alive"], true, true, []),
        (["Keep-Alive"], true, true, []),
        (["close"], false, false, []),
        (["CLOSE"], false, false, []),
        (["close, keep-alive"], false, false, []),
        (["keep-alive, close"], false, false, []),
        (["close", "keep-alive"], false, false, []),
        (["keep-alive", "close"], false, false, []),
        ([""], true, false, []),
        ([" , ,"], true, false, []),
        (["closed"], true, false, ["closed"]),
        (["X-A"], true, false, ["X-A"]),
        (["keep-alive , X-A,,\tX-B"], true, true, ["keep-alive", "X-A", "X-B"]),
        (["X-A", "close"], false, false, ["X-A", "close"]),
    ]
}

@Suite("Request heads")
struct RequestHeadTests {
    @Test("what is malformed or ambiguous is refused for the rule it breaks", arguments: RequestHeadSamples.refused)
    func malformed(text: String, error: HeadError) {
        #expect(ScannedHead.reading(text) == .refused(error))
    }

    @Test("a well-formed head is read as it was written", arguments: RequestHeadSamples.accepted)
    func wellFormed(text: String, request: ScannedHead.Request) {
        var request = request
        request.length = text.utf8.count
        #expect(ScannedHead.reading(text) == .request(request))
    }

    @Test("the end of a connection that either side names is the end", arguments: RequestHeadSamples.connections)
    func connection(lines: [String], in11: Bool, in10: Bool, hopByHop: [String]) throws {
        for (version, expected) in [("1.1", in11), ("1.0", in10)] {
            let fields = lines.map { "Connection: \($0)\r\n" }.joined()
            let result = ScannedHead.reading("GET / HTTP/\(version)\r\nHost: h\r\n\(fields)\r\n")
            guard case .request(let request) = result else {
                Issue.record("\(result)")
                continue
            }
            #expect(request.keepsAlive == expected, "HTTP/\(version)")
            #expect(request.hopByHop == hopByHop)
        }
    }

    @Test("the methods that are told apart are case-sensitive")
    func methods() throws {
        let known: [(String, RequestHead.Method)] = [
            ("GET", .get), ("HEAD", .head), ("POST", .post), ("DELETE", .delete), ("OPTIONS", .options),
            ("get", .other), ("Post", .other), ("POSTS", .other), ("POS", .other), ("G", .other), ("PUT", .other),
        ]
        for (name, method) in known {
            var scanner = HeadScanner()
            let head = try Array("\(name) / HTTP/1.1\r\nHost: h\r\n\r\n".utf8).withUnsafeBytes {
                try scanner.request($0, limits: HeadLimits())
            }
            #expect(head?.method == method, "\(name)")
        }
    }

    @Test("what follows the head is left alone")
    func pipelined() {
        let first = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
        for rest in ["\0", "\n", "GET /b\n", "\r\n\r\n"] {
            guard case .request(let request) = ScannedHead.reading(first + rest) else {
                Issue.record("not read before \(rest.debugDescription)")
                continue
            }
            #expect(request.length == first.utf8.count)
        }
    }

    @Test("however the bytes of a head are cut, it is read the same")
    func cuts() {
        let texts = RequestHeadSamples.refused.map(\.0) + RequestHeadSamples.accepted.map(\.0)
        for text in texts {
            let bytes = Array(text.utf8)
            let whole = ScannedHead.reading(bytes)
            #expect(whole != .incomplete, "\(text.debugDescription)")
            for cut in bytes.indices {
                #expect(ScannedHead.reading(bytes, cuts: [cut]) == whole, "\(text.debugDescription) cut at \(cut)")
            }
            #expect(ScannedHead.reading(bytes, cuts: Array(bytes.indices)) == whole, "\(text.debugDescription)")
        }
    }

    @Test("every beginning of a well-formed head is incomplete")
    func beginnings() {
        for (text, _) in RequestHeadSamples.accepted {
            let bytes = Array(text.utf8)
            for count in 0..<bytes.count {
                #expect(ScannedHead.reading(Array(bytes[..<count])) == .incomplete)
            }
        }
    }

    @Test("each byte is allowed exactly where the grammar has it")
    func everyByte() {
        for byte in UInt8.min...UInt8.max {
            func isAccepted(_ before: String, _ after: String) -> Bool {
                ScannedHead.reading(Array(before.utf8) + [byte] + Array(after.utf8)).error == nil
            }
            let isToken = Grammar.token.contains(byte)
            #expect(isAccepted("G", "T / HTTP/1.1\r\nHost: h\r\n\r\n") == isToken, "method \(byte)")
            #expect(isAccepted("", "ET / HTTP/1.1\r\nHost: h\r\n\r\n") == isToken, "first byte \(byte)")
            #expect(
                isAccepted("GET /a", "b HTTP/1.1\r\nHost: h\r\n\r\n") == Grammar.target.contains(byte), "target \(byte)"
            )
            #expect(
                isAccepted("GET / HTTP/1.1\r\nHost: h\r\nA", "B: c\r\n\r\n") == (isToken || byte == 0x3A),
                "name \(byte)")
            let isText = byte >= 0x20 && byte != 0x7F || byte == 9
            #expect(isAccepted("GET / HTTP/1.1\r\nHost: h\r\nA: b", "c\r\n\r\n") == isText, "value \(byte)")
            #expect(isAccepted("GET / HTTP/1.1\r\nHost: h\r\nA:", "c\r\n\r\n") == isText, "start of a value \(byte)")
            // A port must be digits, and white space around the value is none of it.
            let isPort = (0x30...0x39).contains(byte) || byte == 9 || byte == 0x20
            #expect(isAccepted("GET / HTTP/1.1\r\nHost: h:", "\r\n\r\n") == isPort, "port \(byte)")
            #expect(
                isAccepted("GET / HTTP/1.", "\r\nHost: h\r\n\r\n") == (byte == 0x30 || byte == 0x31), "version \(byte)")
        }
    }
}

@Suite("Limits of heads")
struct HeadLimitTests {
    private static let head = Array("GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n\r\n".utf8)

    @Test("a head of exactly the limit is read and one byte more is too large")
    func bytes() {
        let count = Self.head.count
        for cuts in [[], [count - 1], Array(0..<count)] {
            let exact = ScannedHead.reading(Self.head, cuts: cuts, limits: HeadLimits(bytes: count))
            #expect(exact.error == nil && exact != .incomplete)
            #expect(
                ScannedHead.reading(Self.head, cuts: cuts, limits: HeadLimits(bytes: count - 1)) == .refused(.tooLarge))
        }
    }

    @Test("a head without end is refused at the limit, not before")
    func endless() {
        let endless = Array("GET /".utf8) + [UInt8](repeating: 0x61, count: 95)
        #expect(ScannedHead.reading(endless, limits: HeadLimits(bytes: 101)) == .incomplete)
        #expect(ScannedHead.reading(endless, limits: HeadLimits(bytes: 100)) == .refused(.tooLarge))
    }

    @Test("what is wrong beyond the limit does not matter, however the bytes come")
    func beyond() {
        let bytes = Array("GET /".utf8) + [UInt8](repeating: 0x61, count: 95) + [10]
        let limits = HeadLimits(bytes: 80)
        for cut in bytes.indices {
            #expect(ScannedHead.reading(bytes, cuts: [cut], limits: limits) == .refused(.tooLarge))
        }
    }

    @Test("as many fields as the limit are read and one more is too many")
    func fields() {
        for (limit, error) in [(2, nil), (1, HeadError.tooLarge)] {
            #expect(ScannedHead.reading(Self.head, limits: HeadLimits(fields: limit)).error == error)
        }
    }

    @Test("a scanner keeps nothing of one head for the next")
    func reuse() throws {
        var scanner = HeadScanner()
        for (count, text) in [(2, "A: b\r\nHost: h\r\n"), (1, "Host: h\r\n")] {
            _ = try Array("GET / HTTP/1.1\r\n\(text)\r\n".utf8).withUnsafeBytes {
                try scanner.request($0, limits: HeadLimits())
            }
            #expect(scanner.lines.count == count)
        }
    }

    @Test("each reason has a status of its class and words")
    func reasons() {
        let reasons: [HeadError: Int] = [
            .tooLarge: 431, .badLine: 400, .badStartLine: 400, .badTarget: 400, .badVersion: 505, .badField: 400,
            .badHost: 400, .badLength: 400, .badTransferCoding: 501, .badChunk: 400,
        ]
        for (error, status) in reasons {
            #expect(error.status == status)
            #expect(!error.explanation.isEmpty)
        }
    }
}
