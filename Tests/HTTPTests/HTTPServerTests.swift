// SPDX-License-Identifier: MIT

import HTTP
import NIOCore
import Testing

/// Answers with what it was asked.
@Sendable
private func repeatRequest(_ request: HTTPRequest) async -> HTTPResponse {
    if request.path == "/stream" {
        let count = Tally()
        return HTTPResponse(
            status: 200,
            body: .stream(
                HTTPBodyStream {
                    let number = count.add()
                    return number <= 3 ? ByteBuffer(string: "piece \(number)\n") : nil
                }))
    }
    let body = "\(request.method) \(request.path) \(request.query.map { "\($0.name)=\($0.value)" }) "
    var buffer = ByteBuffer(string: body)
    buffer.writeImmutableBuffer(request.body)
    return HTTPResponse(status: 200, headers: ["Content-Type": "text/plain"], body: .bytes(buffer))
}

@Suite("HTTP server")
struct HTTPServerTests {
    @Test("requests on one connection are answered in order, pipelined or not")
    func pipelining() async throws {
        try await withServer(answer: repeatRequest) { server in
            let client = try RawClient(port: server.port)
            try client.send(
                "POST /a?x=1&y=%20z HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
                    + "GET /b HTTP/1.1\r\nHost: h\r\n\r\n"
                    + "POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                    + "2\r\nde\r\n1;x=y\r\nf\r\n0\r\nT: v\r\n\r\n"
                    + "GET /d HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            let text = try await client.receiveAll()
            let order = ["POST /a [\"x=1\", \"y= z\"] abc", "GET /b [] ", "POST /c [] def", "GET /d [] "]
            var rest = text[...]
            for answer in order {
                let range = try #require(rest.firstRange(of: answer), "\(answer) in \(text)")
                rest = rest[range.upperBound...]
            }
            #expect(text.contains("Connection: close"))
        }
    }

    @Test("a streamed answer arrives in chunks and the connection goes on")
    func streaming() async throws {
        try await withServer(answer: repeatRequest) { server in
            let client = try RawClient(port: server.port)
            try client.send("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n")
            let text = try await client.receive { $0.hasSuffix("0\r\n\r\n") }
            #expect(text.contains("8\r\npiece 1\n\r\n8\r\npiece 2\n\r\n8\r\npiece 3\n\r\n0\r\n\r\n"))
            try client.send("GET /next HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            #expect(try await client.receiveAll().contains("GET /next"))
        }
    }

    @Test("a body that is too large is refused before it is sent, and while it is sent")
    func tooLarge() async throws {
        try await withServer(answer: repeatRequest) { server in
            let announced = try RawClient(port: server.port)
            try announced.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\nExpect: 100-continue\r\n\r\n")
            #expect(try await announced.receiveAll().hasPrefix("HTTP/1.1 413 "))
            let chunked = try RawClient(port: server.port)
            let chunk = "3e8\r\n" + String(repeating: "x", count: 1000) + "\r\n"
            try chunked.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk + chunk)
            #expect(try await chunked.receiveAll().hasPrefix("HTTP/1.1 413 "))
        }
    }

    @Test("a client that waits for 100 Continue gets it")
    func expectation() async throws {
        try await withServer(answer: repeatRequest) { server in
            let client = try RawClient(port: server.port)
            try client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
            #expect(try await client.receive { $0.hasSuffix("\r\n\r\n") } == "HTTP/1.1 100 Continue\r\n\r\n")
            try client.send("ok")
            #expect(try await client.receive { $0.hasSuffix("ok") }.hasPrefix("HTTP/1.1 200 OK\r\n"))
        }
    }

    @Test("the answer to a HEAD has the length of the body and no body, and the connection goes on")
    func head() async throws {
        try await withServer(answer: repeatRequest) { server in
            let client = try RawClient(port: server.port)
            try client.send(
                "HEAD /a HTTP/1.1\r\nHost: h\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            let text = try await client.receiveAll()
            let heads = text.components(separatedBy: "\r\n\r\n")
            #expect(heads.count == 3)
            #expect(heads[0].contains("Content-Length: 11"))
            #expect(heads[1].hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(heads.last == "GET /b [] ")
        }
    }

    @Test("a stream that answers a HEAD is not pulled at")
    func headOfStream() async throws {
        let pulled = Tally()
        let answer: @Sendable (HTTPRequest) async -> HTTPResponse = { request in
            guard request.method == "HEAD" else { return await echo(request) }
            return HTTPResponse(
                status: 200,
                body: .stream(
                    HTTPBodyStream {
                        pulled.add()
                        return ByteBuffer(string: "x")
                    }))
        }
        try await withServer(answer: answer) { server in
            let client = try RawClient(port: server.port)
            try client.send(
                "HEAD / HTTP/1.1\r\nHost: h\r\n\r\nGET /next HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            let text = try await client.receiveAll()
            #expect(text.contains("Transfer-Encoding: chunked\r\n\r\nHTTP/1.1 200 OK"))
            #expect(text.hasSuffix("GET /next"))
            #expect(pulled.value == 0)
        }
    }

    @Test("an answer that may have no body has none, and no length", arguments: [204, 304])
    func bodiless(status: Int) async throws {
        let answer: @Sendable (HTTPRequest) async -> HTTPResponse = { request in
            switch request.path {
            case "/bytes": HTTPResponse(status: status, body: .bytes(ByteBuffer(string: "unwanted")))
            case "/stream":
                HTTPResponse(status: status, body: .stream(HTTPBodyStream { ByteBuffer(string: "unwanted") }))
            default: await echo(request)
            }
        }
        try await withServer(answer: answer) { server in
            let client = try RawClient(port: server.port)
            try client.send(
                "GET /bytes HTTP/1.1\r\nHost: h\r\n\r\nGET /stream HTTP/1.1\r\nHost: h\r\n\r\n"
                    + "GET /next HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            let parts = try await client.receiveAll().components(separatedBy: "\r\n\r\n")
            try #require(parts.count == 4)
            for part in parts[..<2] {
                #expect(part.hasPrefix("HTTP/1.1 \(status) "))
                #expect(!part.contains("Content-Length") && !part.contains("Transfer-Encoding"))
            }
            #expect(parts[3] == "GET /next")
        }
    }

    @Test("HTTP/1.0 is kept alive where asked for, and closed otherwise")
    func oldVersion() async throws {
        try await withServer(answer: echo) { server in
            let kept = try RawClient(port: server.port)
            try kept.send("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            let first = try await kept.receive { $0.hasSuffix("GET /a") }
            #expect(first.contains("\r\nConnection: keep-alive\r\n"))
            try kept.send("GET /b HTTP/1.0\r\n\r\n")
            let second = try await kept.receiveAll()
            #expect(second.contains("\r\nConnection: close\r\n"))
            #expect(second.hasSuffix("GET /b"))
        }
    }

    @Test("a stream for HTTP/1.0 has no chunks and ends with the connection")
    func oldStream() async throws {
        try await withServer(answer: repeatRequest) { server in
            let client = try RawClient(port: server.port)
            try client.send("GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            let text = try await client.receiveAll()
            #expect(text.hasSuffix("\r\n\r\npiece 1\npiece 2\npiece 3\n"))
            #expect(text.contains("Connection: close") && !text.contains("Transfer-Encoding"))
        }
    }

    @Test("every answer says when it was made")
    func date() async throws {
        try await withServer(answer: echo) { server in
            for request in ["GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "bad\r\n\r\n"] {
                let client = try RawClient(port: server.port)
                try client.send(request)
                let text = try await client.receiveAll()
                #expect(text.contains(/\r\nDate: ..., [0-9]{2} ... 20[0-9]{2} [0-9:]{8} GMT\r\n/), "\(text)")
            }
        }
    }

    @Test("thousands of pipelined requests are answered, each once and in order")
    func manyPipelined() async throws {
        let answerNow: @Sendable (HTTPServerLoop) -> any RequestRouter = { _ in
            TestRouter(
                LoopClosure { request, exchange in
                    exchange.respond(status: 200, body: ByteBuffer(string: "[\(request.target)]"))
                })
        }
        try await withServer(makeRouter: answerNow) { server in
            let client = try RawClient(port: server.port)
            let count = 20_000
            let requests = (1...count).map { number in
                "GET /\(number) HTTP/1.1\r\nHost: h\r\n\(number == count ? "Connection: close\r\n" : "")\r\n"
            }
            async let isSent = client.sendMuch(Array(requests.joined().utf8))
            let text = try await client.receiveAll()
            let allWasSent = try await isSent
            #expect(allWasSent)
            let numbers = text.matches(of: /\[\/([0-9]+)\]/).compactMap { Int($0.1) }
            #expect(numbers == Array(1...count))
        }
    }
}

extension String {
    fileprivate func components(separatedBy separator: String) -> [String] {
        var parts: [String] = []
        var rest = self[...]
        while let range = rest.firstRange(of: separator) {
            parts.append(String(rest[..<range.lowerBound]))
            rest = rest[range.upperBound...]
        }
        return parts + [String(rest)]
    }
}
