// SPDX-License-Identifier: MIT

import HTTP
import NIOConcurrencyHelpers
import NIOCore
import Testing

@Suite("Time, room and the end of connections of HTTP/2")
struct HTTP2FlowTests {
    private static let brisk: HTTPServerConfiguration = {
        var configuration = HTTPServerConfiguration()
        configuration.sweepInterval = .milliseconds(20)
        return configuration
    }()

    /// A body that never ends, and how much of it was asked for.
    private static func endless(_ pulled: Tally) -> HTTPResponse {
        HTTPResponse(
            status: 200,
            body: .stream(
                HTTPBodyStream {
                    pulled.add()
                    return ByteBuffer(repeating: 0x61, count: 16 << 10)
                }))
    }

    @Test("an answer goes on only as far as its client gives it room")
    func windows() async throws {
        let pulled = Tally()
        try await withServer(
            answer: { _ in Self.endless(pulled) },
            { server in
                let client = try FrameClient(port: server.port)
                client.givesBack = false
                try client.request(1)
                _ = try await client.answer(1) { $0.body.utf8.count == 65_535 }
                // What waits here: less than a mark, and the last piece.
                let before = pulled.value
                #expect(before < 12)
                try client.window(1, 1 << 20)
                try client.window(0, 1 << 20)
                let answer = try await client.answer(1) { $0.body.utf8.count == 65_535 + 1 << 20 }
                #expect(answer.body.utf8.count == 65_535 + 1 << 20)
                try await eventually { pulled.value > before + 60 }
                #expect(pulled.value < 12 + 64)
            })
    }

    @Test("a slow stream does not hold up the others")
    func fairness() async throws {
        let pulled = Tally()
        try await withServer(
            answer: { request in
                request.path == "/endless" ? Self.endless(pulled) : await echo(request)
            },
            { server in
                let client = try FrameClient(port: server.port)
                client.givesBack = false
                try client.window(0, 1 << 20)
                try client.request(1, "GET", "/endless")
                _ = try await client.answer(1) { $0.body.utf8.count == 65_535 }
                try client.request(3)
                #expect(try await client.answer(3).body == "GET /")
            })
    }

    @Test("a client that gives no room is given up after the write timeout")
    func writeTimeout() async throws {
        var configuration = Self.brisk
        configuration.writeTimeout = .milliseconds(100)
        let pulled = Tally()
        try await withServer(
            configuration, answer: { _ in Self.endless(pulled) },
            { server in
                let client = try FrameClient(port: server.port)
                client.givesBack = false
                try client.request(1)
                #expect(try await client.answer(1).reset == 8)
                try client.request(3, "GET", "/")
                #expect(try await client.answer(3) { !$0.status.isEmpty }.status == "200")
            })
    }

    @Test("a body that stops is answered with 408, and the connection goes on")
    func slowBody() async throws {
        var configuration = Self.brisk
        configuration.bodyTimeout = .milliseconds(100)
        try await withServer(configuration, answer: echo) { server in
            let client = try FrameClient(port: server.port)
            try client.request(1, "POST", isEnd: false)
            try client.data(1, "a")
            #expect(try await client.answer(1).status == "408")
            try client.request(3)
            #expect(try await client.answer(3).status == "200")
        }
    }

    @Test("a connection without requests is closed after the idle timeout, one without a first one sooner")
    func idle() async throws {
        var configuration = Self.brisk
        configuration.idleTimeout = .milliseconds(100)
        try await withServer(configuration, answer: echo) { server in
            let client = try FrameClient(port: server.port)
            try client.request(1)
            _ = try await client.answer(1)
            let end = try await client.goAway()
            #expect(end.last == 1 && end.code == 0)
            try await client.ended()
        }
        configuration.idleTimeout = .seconds(100)
        configuration.headTimeout = .milliseconds(100)
        try await withServer(configuration, answer: echo) { server in
            let client = try FrameClient(port: server.port)
            // Half of a head.
            try client.client.send(Array(try client.headers(1, [("x", "1234567890")]).dropLast(1)))
            // Without a word that would be taken for the rest.
            let raw = client.client
            try await eventually { raw.isReset }
        }
    }

    @Test("an answer that comes early is whole, and so is the rest of the connection")
    func earlyAnswer() async throws {
        try await withServer(answer: echo) { server in
            let client = try FrameClient(port: server.port)
            try client.request(1, "POST", "/", [("content-length", "100000")], isEnd: false)
            let answer = try await client.answer(1)
            #expect(answer.status == "413" && answer.isComplete)
            // Sent in ignorance of the answer.
            for _ in 0..<10 { try client.data(1, String(repeating: "x", count: 5000)) }
            try client.request(3)
            #expect(try await client.answer(3).status == "200")
            for index in 0..<10 { try client.data(1, String(repeating: "x", count: 5000), isEnd: index == 9) }
            try client.request(5)
            #expect(try await client.answer(5).status == "200")
        }
    }

    @Test("a client that goes on sending what was answered is told to stop")
    func stubborn() async throws {
        var configuration = Self.brisk
        configuration.lingerTimeout = .milliseconds(100)
        try await withServer(configuration, answer: echo) { server in
            let client = try FrameClient(port: server.port)
            try client.request(1, "POST", "/", [("content-length", "100000")], isEnd: false)
            #expect(try await client.answer(1).status == "413")
            #expect(try await client.resetAfterAnswer(1) == 0)
        }
    }

    @Test("a stopping server lets requests finish, ends what would never, and tells where it stopped")
    func drain() async throws {
        let go = Event()
        let begun = Tally()
        try await withServer(
            Self.brisk,
            answer: { request in
                begun.add()
                if request.path == "/endless" {
                    return HTTPResponse(
                        status: 200,
                        body: .stream(
                            HTTPBodyStream(isEndless: true) {
                                try? await Task.sleep(for: .seconds(100))
                                return nil
                            }))
                }
                try? await go.happened()
                return await echo(request)
            },
            { server in
                let idle = try FrameClient(port: server.port)
                try idle.request(1, "GET", "/endless")
                _ = try await idle.answer(1) { !$0.status.isEmpty }
                let busy = try FrameClient(port: server.port)
                try busy.request(1, "GET", "/slow")
                try await eventually { begun.value == 2 }
                await server.shutDown()
                let ended = try await idle.answer(1)
                #expect(ended.isComplete && ended.goAway == nil)
                #expect(try await idle.goAway().code == 0)
                // What comes now may be sent again.
                try busy.request(3, "GET", "/late")
                #expect(try await busy.answer(3).reset == 7)
                go.happen()
                let answer = try await busy.answer(1)
                #expect(answer.body == "GET /slow" && answer.goAway == nil)
                let last = try await busy.goAway()
                #expect(last.last == 1 && last.code == 0)
                try await busy.ended()
                #expect(begun.value == 2)
                await server.stopped()
            })
    }

    @Test("a stopping server closes idle connections at once")
    func drainIdle() async throws {
        try await withServer(Self.brisk, answer: echo) { server in
            let client = try FrameClient(port: server.port)
            try client.request(1)
            _ = try await client.answer(1)
            await server.shutDown()
            let end = try await client.goAway()
            #expect(end.last == 1 && end.code == 0)
            try await client.ended()
            await server.stopped()
        }
    }
}
