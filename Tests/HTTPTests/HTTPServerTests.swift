// SPDX-License-Identifier: MIT

import HTTP
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Testing

/// Answers with what it was asked.
private struct Echo: Responder {
    func respond(to request: HTTPRequest) async -> HTTPResponse {
        if request.path == "/stream" {
            let count = Counter()
            return HTTPResponse(
                status: 200,
                body: .stream(
                    HTTPBodyStream {
                        let n = count.next()
                        return n < 3 ? ByteBuffer(string: "piece \(n)\n") : nil
                    }))
        }
        let body = "\(request.method) \(request.path) \(request.query.map { "\($0.name)=\($0.value)" }) "
        var buffer = ByteBuffer(string: body)
        buffer.writeImmutableBuffer(request.body)
        return HTTPResponse(status: 200, headers: ["Content-Type": "text/plain"], body: .bytes(buffer))
    }
}

private final class Counter: Sendable {
    private let value = NIOLockedValueBox(0)
    func next() -> Int {
        value.withLockedValue { value in
            defer { value += 1 }
            return value
        }
    }
}

private final class Router: RequestRouter {
    let responder = TaskResponder(Echo())
    func route(_ request: RequestView, on connection: HTTPServerConnection) -> any RequestSink {
        CollectedRequest(request, on: connection, maximumBodyBytes: 1000, responder: responder)
    }
}

/// Runs a server on a free port while `body` runs.
private func withServer(
    _ configuration: HTTPServerConfiguration = HTTPServerConfiguration(),
    _ body: @Sendable @escaping (Int) async throws -> Void
) async throws {
    let (ports, found) = AsyncStream.makeStream(of: Int.self)
    let server = HTTPServer(
        group: MultiThreadedEventLoopGroup.singleton, addresses: [.tcp(host: "127.0.0.1", port: 0)],
        configuration: configuration, logger: Logger(label: "test"), makeRouter: { _ in Router() },
        onListening: { found.yield($0[0].port ?? 0) })
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await server.run() }
        for await port in ports.prefix(1) { try await body(port) }
        group.cancelAll()
    }
}

@Suite("HTTP server")
struct HTTPServerTests {
    @Test("requests on one connection are answered in order, pipelined or not")
    func pipelining() async throws {
        try await withServer { port in
            let client = try RawClient(port: port)
            try client.send(
                "POST /a?x=1&y=%20z HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
                    + "GET /b HTTP/1.1\r\nHost: h\r\n\r\n"
                    + "POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n1;x=y\r\nf\r\n0\r\nT: v\r\n\r\n"
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
        try await withServer { port in
            let client = try RawClient(port: port)
            try client.send("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n")
            let text = try await client.receive { $0.hasSuffix("0\r\n\r\n") }
            #expect(text.contains("8\r\npiece 0\n\r\n8\r\npiece 1\n\r\n8\r\npiece 2\n\r\n0\r\n\r\n"))
            try client.send("GET /next HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            #expect(try await client.receiveAll().contains("GET /next"))
        }
    }

    @Test("a body that is too large is refused before it is sent, and while it is sent")
    func tooLarge() async throws {
        try await withServer { port in
            let announced = try RawClient(port: port)
            try announced.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\nExpect: 100-continue\r\n\r\n")
            #expect(try await announced.receiveAll().hasPrefix("HTTP/1.1 413 "))
            let chunked = try RawClient(port: port)
            let chunk = "3e8\r\n" + String(repeating: "x", count: 1000) + "\r\n"
            try chunked.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk + chunk)
            #expect(try await chunked.receiveAll().hasPrefix("HTTP/1.1 413 "))
        }
    }

    @Test("a client that waits for 100 Continue gets it")
    func expectation() async throws {
        try await withServer { port in
            let client = try RawClient(port: port)
            try client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
            #expect(try await client.receive { $0.hasSuffix("\r\n\r\n") } == "HTTP/1.1 100 Continue\r\n\r\n")
            try client.send("ok")
            #expect(try await client.receive { $0.hasSuffix("ok") }.hasPrefix("HTTP/1.1 200 OK\r\n"))
        }
    }
}
