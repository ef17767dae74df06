// SPDX-License-Identifier: MIT

import HTTP
import NIOCore
import Testing

@Suite("Clients that close their sending side")
struct HalfClosingTests {
    @Test("a client that closes its sending side gets the answers to all it has sent")
    func answered() async throws {
        let size = 8 << 20
        let answer: @Sendable (HTTPRequest) async -> HTTPResponse = { request in
            switch request.path {
            case "/large": HTTPResponse(status: 200, body: .bytes(ByteBuffer(repeating: 0x78, count: size)))
            default: await echo(request)
            }
        }
        try await withServer(answer: answer) { server in
            for count in [1, 3] {
                let client = try RawClient(port: server.port)
                let post = "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
                try client.send(String(repeating: post, count: count))
                client.finishSending()
                let text = try await client.receiveAll()
                #expect(text.matches(of: /POST \/a/).count == count, "\(text)")
                #expect(text.hasSuffix("POST /a"))
            }
            let client = try RawClient(port: server.port, receiveBytes: 4096)
            try client.send("GET /large HTTP/1.1\r\nHost: h\r\n\r\n")
            client.finishSending()
            let received = try await client.receive(bytes: .max)
            #expect(received.isClean && received.bytes.count > size)
        }
    }

    @Test("it gets an answer that takes its time, by TCP and by a Unix socket", arguments: [true, false])
    func slowAnswer(isTCP: Bool) async throws {
        let (started, released) = (Event(), Event())
        let answer: @Sendable (HTTPRequest) async -> HTTPResponse = { request in
            started.happen()
            try? await released.happened()
            return Task.isCancelled ? HTTPResponse(status: 500) : await echo(request)
        }
        try await withTemporaryPath { path in
            try await withServer(path: isTCP ? nil : path, answer: answer) { server in
                let client = isTCP ? try RawClient(port: server.port) : try RawClient(path: path)
                try client.send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n")
                try await started.happened()
                client.finishSending()
                // The server has noticed when it asks whether the client is there.
                #expect(
                    try await client.receive { $0.hasSuffix("\r\n\r\n") } == "HTTP/1.1 100 Continue\r\n\r\n")
                released.happen()
                let text = try await client.receiveAll()
                #expect(text.hasPrefix("HTTP/1.1 200 OK\r\n") && text.hasSuffix("GET /slow"))
                #expect(text.contains("\r\nConnection: close\r\n"))
            }
        }
    }

    @Test("an event stream goes on for it")
    func eventStream() async throws {
        let asked = Event()
        let answer: @Sendable (HTTPRequest) async -> HTTPResponse = { _ in
            let pieces = Tally()
            return HTTPResponse(
                status: 200, headers: ["Content-Type": "text/event-stream"],
                body: .stream(
                    HTTPBodyStream {
                        switch pieces.add() {
                        case 1: return ByteBuffer(string: "data: 1\n\n")
                        case 2:
                            try? await asked.happened()
                            return ByteBuffer(string: "data: 2\n\n")
                        default: return nil
                        }
                    }))
        }
        try await withServer(answer: answer) { server in
            let client = try RawClient(port: server.port)
            try client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            _ = try await client.receive { $0.contains("data: 1") }
            client.finishSending()
            _ = try await client.receive { $0.contains(":\n\n") }
            asked.happen()
            #expect(try await client.receiveAll().hasSuffix("data: 2\n\n\r\n0\r\n\r\n"))
        }
    }

    @Test("an answer that has begun and then stands still ends, because nothing tells that anybody is there")
    func stalled() async throws {
        let cancelled = Event()
        let answer: @Sendable (HTTPRequest) async -> HTTPResponse = { _ in
            let pieces = Tally()
            return HTTPResponse(
                status: 200,
                body: .stream(
                    HTTPBodyStream {
                        if pieces.add() == 1 { return ByteBuffer(string: "first") }
                        return await withTaskCancellationHandler {
                            try? await cancelled.happened()
                            return nil
                        } onCancel: {
                            cancelled.happen()
                        }
                    }))
        }
        try await withServer(.quick { $0.halfClosedTimeout = .milliseconds(50) }, answer: answer) { server in
            let client = try RawClient(port: server.port)
            try client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            _ = try await client.receive { $0.contains("first") }
            client.finishSending()
            try await cancelled.happened()
            let rest = try await client.receiveAll()
            #expect(!rest.contains("0\r\n\r\n"), "it must not look complete")
        }
    }

    @Test("a request that it has not sent to its end is answered with 400")
    func incomplete() async throws {
        try await withServer(answer: echo) { server in
            for request in [
                "GET / HTTP/1.1\r\nHost:", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\na",
                "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na",
            ] {
                let client = try RawClient(port: server.port)
                try client.send(request)
                client.finishSending()
                #expect(try await client.receiveAll().hasPrefix("HTTP/1.1 400 "), "\(request)")
            }
            let silent = try RawClient(port: server.port)
            silent.finishSending()
            #expect(try await silent.receiveAll() == "")
        }
    }

    @Test("a client that has gone cancels what it started, by TCP and by a Unix socket", arguments: [true, false])
    func gone(isTCP: Bool) async throws {
        let (started, cancelled) = (Event(), Event())
        let answer: @Sendable (HTTPRequest) async -> HTTPResponse = { request in
            await withTaskCancellationHandler {
                started.happen()
                try? await cancelled.happened()
                return await echo(request)
            } onCancel: {
                cancelled.happen()
            }
        }
        try await withTemporaryPath { path in
            try await withServer(path: isTCP ? nil : path, answer: answer) { server in
                do {
                    let client = isTCP ? try RawClient(port: server.port) : try RawClient(path: path)
                    try client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\nGET /next HTTP/1.1\r\nHost: h\r\n\r\n")
                    try await started.happened()
                }
                try await cancelled.happened()
            }
        }
    }
}
