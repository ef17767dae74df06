// SPDX-License-Identifier: MIT

import HTTP
import Testing
import Wire

/// What is no proper request, and the status that answers it.
private let malformed: [(String, Int)] = [
    ("GET / HTTP/1.1\nHost: h\n\n", 400),
    ("\0\0\0\0", 400),
    ("\u{16}\u{3}\u{1}\u{2}\0\u{1}", 400),
    ("SSH-2.0-OpenSSH_9.2\r\n\r\n", 400),
    ("GET\r\n\r\n", 400),
    ("GET / HTTP/3.0\r\n\r\n", 505),
    ("GET / HTTP/1.1\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: 127.0.0.1:x\r\n\r\n", 400),
    ("GET a HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    ("CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: h\r\nA : b\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: h\r\nA: \0\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na", 400),
    ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
    ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
    ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n", 400),
    ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nbad trailer\r\n\r\n", 400),
    ("GET /\(String(repeating: "a", count: 40_000)) HTTP/1.1\r\nHost: h\r\n\r\n", 431),
    ("GET / HTTP/1.1\r\nHost: h\r\nA: \(String(repeating: "a", count: 40_000))", 431),
    ("GET / HTTP/1.1\r\nHost: h\r\n\(String(repeating: "A: b\r\n", count: 101))\r\n", 431),
]

@Suite("Malformed requests")
struct MalformedRequestTests {
    @Test("each is answered with its status, and the connection ends")
    func malformedRequests() async throws {
        let answered = Tally()
        let answer: @Sendable (HTTPRequest) async -> HTTPResponse = { request in
            answered.add()
            return await echo(request)
        }
        try await withServer(answer: answer) { server in
            for (request, status) in malformed {
                let client = try RawClient(port: server.port)
                try client.send(request)
                let text = try await client.receiveAll()
                #expect(text.hasPrefix("HTTP/1.1 \(status) "), "\(request.prefix(80).debugDescription): \(text)")
                #expect(text.contains("\r\nConnection: close\r\n"))
                #expect(text.matches(of: /HTTP\/1\.1 [0-9]{3}[ ]/).count == 1)
            }
            #expect(answered.value == 0)
        }
    }

    @Test("a bad request behind a good one does not take the good one's answer away")
    func pipelined() async throws {
        try await withServer(answer: echo) { server in
            for (request, status) in malformed {
                let client = try RawClient(port: server.port)
                try client.send("GET /good HTTP/1.1\r\nHost: h\r\n\r\n" + request)
                let text = try await client.receiveAll()
                #expect(text.hasPrefix("HTTP/1.1 200 OK\r\n"))
                let good = try #require(text.firstRange(of: "GET /good"))
                #expect(text[good.upperBound...].hasPrefix("HTTP/1.1 \(status) "), "\(text)")
            }
        }
    }

    @Test("empty lines before a request are skipped")
    func emptyLines() async throws {
        try await withServer(answer: echo) { server in
            let client = try RawClient(port: server.port)
            try client.send(
                "\r\n\r\nGET /a HTTP/1.1\r\nHost: h\r\n\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            let text = try await client.receiveAll()
            #expect(text.contains("GET /a") && text.hasSuffix("GET /b"))
        }
    }
}
