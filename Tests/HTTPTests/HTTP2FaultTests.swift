// SPDX-License-Identifier: MIT

import HTTP
import NIOCore
import Testing
import Wire

@Suite("What no client of HTTP/2 should send")
struct HTTP2FaultTests {
    /// A request's fields, and how it is refused: by a status, or by the code of a reset.
    struct Malformed: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var fields: [(String, String)]
        var status: String? = nil

        static let basis = [
            (":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "127.0.0.1"),
        ]

        /// The basis with other values.
        static func with(_ changes: [String: String], _ more: [(String, String)] = []) -> [(String, String)] {
            basis.map { ($0, changes[$0] ?? $1) } + more
        }

        /// The basis without one of its fields.
        static func without(_ name: String, _ more: [(String, String)] = []) -> [(String, String)] {
            basis.filter { $0.0 != name } + more
        }

        static let all: [Malformed] = [
            Malformed(testDescription: "Connection", fields: with([:], [("connection", "close")])),
            Malformed(testDescription: "Transfer-Encoding", fields: with([:], [("transfer-encoding", "chunked")])),
            Malformed(testDescription: "Upgrade", fields: with([:], [("upgrade", "h2c")])),
            Malformed(testDescription: "Keep-Alive", fields: with([:], [("keep-alive", "1")])),
            Malformed(testDescription: "TE", fields: with([:], [("te", "gzip")])),
            Malformed(testDescription: "an upper-case name", fields: with([:], [("X-Upper", "1")])),
            Malformed(testDescription: "a name with a space", fields: with([:], [("x y", "1")])),
            Malformed(testDescription: "a name with a colon", fields: with([:], [("x:y", "1")])),
            Malformed(testDescription: "a line break in a value", fields: with([:], [("x", "1\r\nhost: b")])),
            Malformed(testDescription: "NUL in a value", fields: with([:], [("x", "1\u{0}2")])),
            Malformed(
                testDescription: "white space before a value", fields: with([:], [("x", " 1")]), status: "400"),
            Malformed(testDescription: "a line break in the path", fields: with([":path": "/ HTTP/1.1\r\nx: y"])),
            Malformed(testDescription: "a space in the path", fields: with([":path": "/a b"])),
            Malformed(
                testDescription: "an absolute path", fields: with([":path": "http://127.0.0.1/"]), status: "400"),
            Malformed(testDescription: "a method with a space", fields: with([":method": "GET /x"])),
            Malformed(testDescription: "another scheme", fields: with([":scheme": "ftp"]), status: "400"),
            Malformed(testDescription: "no path", fields: without(":path")),
            Malformed(testDescription: "an empty path", fields: with([":path": ""])),
            Malformed(testDescription: "no method", fields: without(":method")),
            Malformed(testDescription: "no scheme", fields: without(":scheme")),
            Malformed(testDescription: "no authority", fields: without(":authority"), status: "400"),
            Malformed(
                testDescription: "a user in the authority", fields: with([":authority": "a@127.0.0.1"]), status: "400"),
            Malformed(testDescription: "another Host", fields: with([:], [("host", "b")]), status: "400"),
            Malformed(
                testDescription: "two Hosts",
                fields: without(":authority", [("host", "a"), ("host", "a")]), status: "400"),
            Malformed(testDescription: "two paths", fields: basis + [(":path", "/b")]),
            Malformed(testDescription: "an unknown pseudo field", fields: basis + [(":secret", "1")]),
            Malformed(testDescription: "a pseudo field behind others", fields: [("x", "1")] + basis),
            Malformed(testDescription: "a status", fields: basis + [(":status", "200")]),
            Malformed(
                testDescription: "CONNECT", fields: [(":method", "CONNECT"), (":authority", "a:1")], status: "400"),
            Malformed(testDescription: "two lengths", fields: with([:], [("content-length", "1, 2")])),
            Malformed(
                testDescription: "a length with a sign", fields: with([:], [("content-length", "+0")]),
                status: "400"),
        ]
    }

    @Test("what is malformed is refused, and the connection goes on", arguments: Malformed.all)
    func malformed(_ request: Malformed) async throws {
        let seen = Tally()
        try await withServer(
            answer: { request in
                if request.path != "/next" { seen.add() }
                return await echo(request)
            },
            { server in
                let client = try FrameClient(port: server.port)
                try client.client.send(try client.headers(1, request.fields))
                let answer = try await client.answer(1)
                if let status = request.status {
                    #expect(answer.status == status)
                } else {
                    #expect(answer.reset == 1)
                }
                try client.request(3, "GET", "/next")
                #expect(try await client.answer(3).body == "GET /next")
                #expect(seen.value == 0)
            })
    }

    @Test("a body of another length than was told is refused", arguments: [("3", "ab"), ("1", "ab")])
    func length(_ told: String, _ sent: String) async throws {
        try await withServer(answer: echo) { server in
            let client = try FrameClient(port: server.port)
            try client.request(1, "POST", "/", [("content-length", told)], isEnd: false)
            try client.data(1, sent, isEnd: true)
            #expect(try await client.answer(1).reset == 1)
        }
    }

    @Test("a head that is too large is answered with 431, and one far too large ends the connection")
    func largeHead() async throws {
        var configuration = HTTPServerConfiguration()
        configuration.headLimits.bytes = 1024
        configuration.headLimits.fields = 20
        try await withServer(configuration, answer: echo) { server in
            let client = try FrameClient(port: server.port)
            try client.request(1, "GET", "/", [("x", String(repeating: "a", count: 1200))])
            #expect(try await client.answer(1).status == "431")
            try client.request(3, "GET", "/", (0..<21).map { ("x", "\($0)") })
            #expect(try await client.answer(3).status == "431")
            try client.request(5, "GET", "/", [("x", String(repeating: "a", count: 6000))])
            #expect(try await client.answer(5).goAway != nil)
            try await client.ended()
        }
    }

    @Test("no more streams are taken than were offered")
    func manyStreams() async throws {
        var configuration = HTTPServerConfiguration()
        configuration.http2.maximumStreams = 2
        let go = Event()
        try await withServer(
            configuration,
            answer: { request in
                if request.path == "/slow" { try? await go.happened() }
                return await echo(request)
            },
            { server in
                let client = try FrameClient(port: server.port)
                try client.request(1)
                _ = try await client.answer(1)
                #expect(client.settings[3] == 2)
                for stream in [3, 5, 7] as [UInt32] { try client.request(stream, "GET", "/slow") }
                let refused = try await client.answer(7)
                #expect(refused.reset == 7 || refused.goAway != nil)
                go.happen()
                if refused.goAway == nil { #expect(try await client.answer(3).status == "200") }
            })
    }

    @Test("a client that takes back one request after the other is sent away")
    func rapidReset() async throws {
        var configuration = HTTPServerConfiguration()
        configuration.http2.maximumCancellations = 20
        try await withServer(
            configuration, makeRouter: { _ in TestRouter(LoopClosure { _, _ in }) },
            { server in
                let client = try FrameClient(port: server.port)
                var stream: UInt32 = 1
                for _ in 0..<21 {
                    try client.request(stream)
                    try client.reset(stream)
                    stream += 2
                }
                #expect(try await client.goAway().code == 11)
                try await client.ended()
            })
    }

    @Test("streams that are left once their answers have begun are no offence")
    func patientResets() async throws {
        var configuration = HTTPServerConfiguration()
        configuration.http2.maximumCancellations = 5
        try await withServer(
            configuration,
            makeRouter: { _ in
                TestRouter(
                    LoopClosure { _, exchange in
                        exchange.begin(status: 200)
                        exchange.write(ByteBuffer(string: "x"))
                    })
            },
            { server in
                let client = try FrameClient(port: server.port)
                for stream in stride(from: 1, to: 41, by: 2) as StrideTo<UInt32> {
                    try client.request(stream)
                    #expect(try await client.answer(stream) { !$0.body.isEmpty }.body == "x")
                    try client.reset(stream)
                }
            })
    }

    @Test("what breaks the protocol ends the connection with a reason", arguments: [0, 1, 2])
    func broken(_ way: Int) async throws {
        try await withServer(answer: echo) { server in
            let client = try FrameClient(port: server.port)
            switch way {
            // Data of a stream that never began.
            case 0: try client.data(1, "x")
            // A stream of the server's kind.
            case 1: try client.request(2)
            // A frame larger than was allowed.
            default: try client.client.send([0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0, 1])
            }
            #expect(try await client.goAway().code != 0)
            try await client.ended()
        }
    }
}
