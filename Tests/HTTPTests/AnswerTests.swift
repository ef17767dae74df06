// SPDX-License-Identifier: MIT

import HTTP
import NIOCore
import Testing

@Suite("Answers and clients that behave unexpectedly")
struct AnswerTests {
    @Test("an early answer arrives whole while the client still sends a large body")
    func earlyAnswer() async throws {
        try await withServer(answer: echo) { server in
            let client = try RawClient(port: server.port)
            let size = 32 << 20
            try client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: \(size)\r\n\r\n")
            async let isSent = client.sendMuch([UInt8](repeating: 0x78, count: size))
            let text = try await client.receiveAll()
            #expect(text.hasPrefix("HTTP/1.1 413 "))
            #expect(text.hasSuffix("must not be larger than 1000 bytes\"}"))
            // Who goes on sending is not stopped before the linger time is over.
            client.disconnect()
            _ = try await isSent
        }
    }

    @Test("the task of an answer is cancelled when the client goes away")
    func clientGone() async throws {
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
        try await withServer(answer: answer) { server in
            let client = try RawClient(port: server.port)
            try client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            try await started.happened()
            client.disconnect()
            try await cancelled.happened()
        }
    }

    @Test("the task of a stream is cancelled when the client goes away, also while nothing is sent")
    func clientGoneFromStream() async throws {
        let (waiting, cancelled) = (Event(), Event())
        let pieces = Tally()
        let answer: @Sendable (HTTPRequest) async -> HTTPResponse = { _ in
            HTTPResponse(
                status: 200,
                body: .stream(
                    HTTPBodyStream(isEndless: true) {
                        if pieces.add() == 1 { return ByteBuffer(string: "first") }
                        // A client that goes before has nobody to cancel.
                        waiting.happen()
                        return await withTaskCancellationHandler {
                            try? await cancelled.happened()
                            return nil
                        } onCancel: {
                            cancelled.happen()
                        }
                    }))
        }
        try await withServer(answer: answer) { server in
            let client = try RawClient(port: server.port)
            try client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            _ = try await client.receive { $0.contains("first") }
            try await waiting.happened()
            // Pipelined bytes must not hide that the client has gone.
            try client.send("GET /next HTTP/1.1\r\nHost: h\r\n\r\n")
            client.disconnect()
            try await cancelled.happened()
        }
    }

    @Test("a stream waits for a client that does not read, and goes on when it reads")
    func backPressure() async throws {
        let pieces = Tally()
        let (size, count) = (64 << 10, 2000)
        let answer: @Sendable (HTTPRequest) async -> HTTPResponse = { _ in
            HTTPResponse(
                status: 200,
                body: .stream(
                    HTTPBodyStream {
                        pieces.add() <= count ? ByteBuffer(repeating: 0x78, count: size) : nil
                    }))
        }
        try await withServer(answer: answer) { server in
            let client = try RawClient(port: server.port, receiveBytes: 4096)
            try client.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            // It stands still when nothing was asked for in fifty looks.
            let (seen, calm) = (Tally(), Tally())
            try await eventually {
                if pieces.value > seen.value {
                    while seen.value < pieces.value { seen.add() }
                    while calm.value % 50 != 0 { calm.add() }
                    return false
                }
                return pieces.value > 0 && calm.add() % 50 == 0
            }
            // What the kernel holds for both ends is at most a few MiB of the 125.
            #expect(pieces.value < count / 4)
            let received = try await client.receive(bytes: .max)
            #expect(received.isClean)
            #expect(received.bytes.count > size * count)
            #expect(pieces.value == count + 1)
        }
    }

    @Test("requests of a client that takes no answers wait")
    func pipeliningWithoutReading() async throws {
        let answered = Tally()
        let answerNow: @Sendable (HTTPServerLoop) -> any RequestRouter = { _ in
            TestRouter(
                LoopClosure { _, exchange in
                    answered.add()
                    exchange.respond(status: 200, body: ByteBuffer(repeating: 0x78, count: 1 << 20))
                })
        }
        try await withServer(makeRouter: answerNow) { server in
            let client = try RawClient(port: server.port, receiveBytes: 4096)
            let count = 200
            let request = Array("GET / HTTP/1.1\r\nHost: h\r\n\r\n".utf8)
            async let isSent = client.sendMuch((0..<count).flatMap { _ in request })
            try await eventually { answered.value > 0 }
            // Another connection of every loop is served many times meanwhile.
            for _ in 0..<20 {
                let other = try RawClient(port: server.port)
                try other.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
                _ = try await other.receiveAll()
            }
            #expect(answered.value < 20 + 50)
            let received = try await client.receive(bytes: count << 20).bytes
            #expect(received.count >= count << 20)
            let allWasSent = try await isSent
            #expect(allWasSent)
        }
    }
}
