// SPDX-License-Identifier: MIT

import HTTP
import NIOConcurrencyHelpers
import NIOCore
import NIOHPACK
import Testing

@Suite("Connections of HTTP/2")
struct HTTP2Tests {
    @Test("a client that knows before is spoken to in HTTP/2, on the port of HTTP/1.1")
    func priorKnowledge() async throws {
        try await withServer(answer: echo) { server in
            let client = try FrameClient(port: server.port)
            try client.request(1, "GET", "/a?b=c")
            let answer = try await client.answer(1)
            #expect(answer.status == "200")
            #expect(answer.body == "GET /a?b=c")
            #expect(answer.fields.first(name: "content-length") == "10")
            #expect(answer.fields.first(name: "connection") == nil)
            #expect(answer.reset == nil)
            #expect(client.settings[3] == 128)
            let old = try RawClient(port: server.port)
            try old.send("GET /old HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            #expect(try await old.receiveAll().hasSuffix("GET /old"))
        }
    }

    @Test("the first bytes may come one by one")
    func inPieces() async throws {
        try await withServer(answer: echo) { server in
            let client = try FrameClient(port: server.port, isSilent: true)
            for byte in FrameClient.preface + FrameClient.frame(FrameClient.Frame.settings) {
                try client.client.send([byte])
            }
            try client.request(1)
            #expect(try await client.answer(1).status == "200")
        }
    }

    @Test("the first bytes of HTTP/2 mean nothing behind a request of HTTP/1.1, nor a part of them")
    func notLater() async throws {
        try await withServer(answer: echo) { server in
            for bytes in [
                Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8) + FrameClient.preface,
                Array("PRI * HTTP/2.0\r\nHost: a\r\n\r\n".utf8),
            ] {
                let client = try RawClient(port: server.port)
                try client.send(bytes)
                #expect(try await client.receiveAll().contains("HTTP/1.1 400 "))
            }
            var configuration = HTTPServerConfiguration()
            configuration.http2.isServed = false
            try await withServer(configuration, answer: echo) { server in
                let client = try RawClient(port: server.port)
                try client.send(FrameClient.preface)
                #expect(try await client.receiveAll().contains("HTTP/1.1 400 "))
            }
        }
    }

    @Test("a body comes in pieces, with or without a length, and its trailers are left out")
    func bodies() async throws {
        try await withServer(
            answer: { request in
                HTTPResponse(
                    status: 200,
                    body: .bytes(
                        ByteBuffer(string: "\(String(buffer: request.body)) \(request.headers["X-Late"] ?? "-")")))
            },
            { server in
                let client = try FrameClient(port: server.port)
                try client.request(1, "POST", isEnd: false)
                try client.request(3, "POST", "/", [("content-length", "4")], isEnd: false)
                try client.data(1, "ab")
                try client.data(3, "x", isEnd: false)
                try client.data(1, "cd", isEnd: true)
                try client.data(3, "yz0", isEnd: true)
                #expect(try await client.answer(1).body == "abcd -")
                #expect(try await client.answer(3).body == "xyz0 -")
                try client.request(5, "POST", isEnd: false)
                try client.data(5, "body")
                try client.client.send(try client.headers(5, [("x-late", "yes")]))
                #expect(try await client.answer(5).body == "body -")
            })
    }

    @Test("the answer to a HEAD has no body, and 204 has none either")
    func withoutBody() async throws {
        try await withServer(
            answer: { request in
                request.path == "/none" ? HTTPResponse(status: 204) : await echo(request)
            },
            { server in
                let client = try FrameClient(port: server.port)
                try client.request(1, "HEAD", "/some")
                try client.request(3, "GET", "/none")
                let head = try await client.answer(1)
                #expect(head.status == "200" && head.body.isEmpty && head.isComplete)
                #expect(head.fields.first(name: "content-length") == "10")
                let none = try await client.answer(3)
                #expect(none.status == "204" && none.isComplete)
            })
    }

    @Test("100 Continue is sent to whom waits for it")
    func continues() async throws {
        try await withServer(answer: echo) { server in
            let client = try FrameClient(port: server.port)
            try client.request(1, "POST", "/", [("expect", "100-continue")], isEnd: false)
            #expect(try await client.answer(1) { !$0.interim.isEmpty }.interim == ["100"])
            try client.data(1, "body", isEnd: true)
            let answer = try await client.answer(1)
            #expect(answer.status == "200" && answer.interim == ["100"])
        }
    }

    @Test("a cookie that was cut into crumbs is whole again")
    func crumbs() async throws {
        try await withServer(
            answer: { request in
                HTTPResponse(
                    status: 200,
                    body: .bytes(ByteBuffer(string: request.headers.values(of: "cookie").joined(separator: "|"))))
            },
            { server in
                let client = try FrameClient(port: server.port)
                try client.request(1, "GET", "/", [("cookie", "a=1"), ("x", "y"), ("cookie", "b=2")])
                #expect(try await client.answer(1).body == "a=1; b=2")
            })
    }

    @Test("requests are answered in the order in which their answers are ready")
    func independent() async throws {
        let first = Event()
        try await withServer(
            answer: { request in
                if request.path == "/slow" { try? await first.happened() }
                return await echo(request)
            },
            { server in
                let client = try FrameClient(port: server.port)
                try client.request(1, "GET", "/slow")
                try client.request(3, "GET", "/fast")
                #expect(try await client.answer(3).body == "GET /fast")
                first.happen()
                #expect(try await client.answer(1).body == "GET /slow")
            })
    }

    @Test("a client that resets its stream is gone, and its other streams are not")
    func cancellation() async throws {
        let gone = Event()
        let begun = Event()
        try await withServer(
            makeRouter: { _ in
                TestRouter(
                    LoopClosure { request, exchange in
                        guard request.path == "/stream" else { return exchange.respond(status: 200) }
                        exchange.onClientGone = { gone.happen() }
                        exchange.begin(status: 200, headers: ["Content-Type": "text/event-stream"])
                        exchange.write(ByteBuffer(string: "data: 1\n\n"))
                        begun.happen()
                    })
            },
            { server in
                let client = try FrameClient(port: server.port)
                try client.request(1, "GET", "/stream")
                #expect(try await client.answer(1) { !$0.body.isEmpty }.body == "data: 1\n\n")
                try client.reset(1)
                try await gone.happened()
                try client.request(3)
                #expect(try await client.answer(3).status == "200")
            })
    }

    @Test("a client that closes its connection is gone from all its streams")
    func disconnect() async throws {
        let gone = Tally()
        let begun = Tally()
        try await withServer(
            makeRouter: { _ in
                TestRouter(
                    LoopClosure { _, exchange in
                        exchange.onClientGone = { gone.add() }
                        begun.add()
                    })
            },
            { server in
                let client = try FrameClient(port: server.port)
                for stream in [1, 3, 5] as [UInt32] { try client.request(stream) }
                try await eventually { begun.value == 3 }
                client.client.finishSending()
                try await eventually { gone.value == 3 }
                _ = try await client.client.receiveAll()
            })
    }

    @Test("an answer that breaks off is seen to break off")
    func brokenAnswer() async throws {
        try await withServer(
            makeRouter: { _ in
                TestRouter(
                    LoopClosure { _, exchange in
                        exchange.begin(status: 200)
                        exchange.write(ByteBuffer(string: "half"))
                        exchange.abort()
                    })
            },
            { server in
                let client = try FrameClient(port: server.port)
                try client.request(1)
                let answer = try await client.answer(1)
                #expect(answer.reset == 2 && !answer.isComplete)
            })
    }
}
