// SPDX-License-Identifier: MIT

import NIOCore
import Testing

@testable import DataPlane

@Suite("Back pressure")
struct BackPressureTests {
    /// More than all buffers of two connections hold, but for what the test can still see stop.
    private static let total = 64 << 20

    /// Writes as much as is taken, until nothing more is taken for a while; returns how much was.
    private func fill(_ connection: RawConnection, _ piece: String, limit: Int) async throws -> Int {
        var posted = 0
        var quiet = 0
        while posted < limit, quiet < 50 {
            if try await connection.backlog() < piece.utf8.count {
                connection.post(piece)
                posted += piece.utf8.count
                quiet = 0
            } else {
                quiet += 1
                try await Task.sleep(for: .milliseconds(4))
            }
        }
        return posted
    }

    @Test(
        "a client that reads slowly stops its server, and gets everything in the end",
        arguments: ["chunked", "length", "events"])
    func slowReader(framing: String) async throws {
        try await withRawServer { gateway, server in
            let client = try await gateway.connect()
            try await client.send(gateway.request("GET"))
            let upstream = try await server.accept()
            _ = try await upstream.request()
            try await client.pauseReading(true)
            let payload = ": " + String(repeating: "x", count: (64 << 10) - 4) + "\n\n"
            let piece = framing == "length" ? payload : EventStreamTests.chunk(payload)
            switch framing {
            case "length": try await upstream.send("HTTP/1.1 200 OK\r\nContent-Length: \(Self.total)\r\n\r\n")
            case "events": try await upstream.send(EventStreamTests.chunkedHead)
            default: try await upstream.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            }
            let produced = try await fill(upstream, piece, limit: Self.total)
            // The kernel's buffers of both connections hold some megabytes each; the gateway adds next to nothing.
            #expect(produced < 40 << 20, "\(produced)")
            try await client.pauseReading(false)
            // Another client is served meanwhile.
            #expect(try await gateway.send("GET", "/health").status == 200)
            try await eventually("all has arrived") { client.receivedCount >= produced - 80 }
            client.close()
            try await upstream.waitForEnd()
        }
    }

    @Test("a server that reads slowly stops its client, and gets everything in the end", arguments: [false, true])
    func slowServer(isChunked: Bool) async throws {
        try await withRawServer { gateway, server in
            let client = try await gateway.connect()
            let framing = isChunked ? "Transfer-Encoding: chunked" : "Content-Length: \(60 << 20)"
            try await client.send("POST /adapters/a/mcp HTTP/1.1\r\nHost: localhost\r\n\(framing)\r\n\r\n")
            let start =
                #"{"jsonrpc":"2.0","id":7,"method":"x","params":{"a":"\#(String(repeating: "x", count: 300_000))"#
            try await client.send(isChunked ? EventStreamTests.chunk(start) : start)
            let upstream = try await server.accept()
            try await upstream.pauseReading(true)
            let payload = String(repeating: "x", count: 64 << 10)
            let posted = try await fill(
                client, isChunked ? EventStreamTests.chunk(payload) : payload, limit: (60 << 20) - 400_000)
            #expect(posted < 40 << 20, "\(posted)")
            try await upstream.pauseReading(false)
            try await eventually("all has arrived") { upstream.receivedCount >= posted }
        }
    }

    @Test(
        "a server that answers before it has the whole request: the client gets the answer, and what it still sends is dropped"
    )
    func earlyAnswer() async throws {
        try await withRawServer { gateway, server in
            for isEvents in [false, true] {
                let client = try await gateway.connect()
                try await client.send(
                    "POST /adapters/a/mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: \(8 << 20)\r\n\r\n"
                        + #"{"jsonrpc":"2.0","id":7,"method":"x","params":{"a":"\#(String(repeating: "x", count: 300_000))"#
                )
                let upstream = try await server.accept()
                _ = try await upstream.head()
                try await upstream.send(
                    isEvents
                        ? EventStreamTests.chunkedHead + EventStreamTests.chunk("data: early\n\n") + "0\r\n\r\n"
                        : "HTTP/1.1 413 Content Too Large\r\nContent-Length: 5\r\n\r\nearly")
                upstream.close()
                async let sent: Void = client.send(String(repeating: "x", count: 4 << 20))
                let answer = try await client.answer()
                #expect(answer.status == (isEvents ? 200 : 413))
                #expect(answer.body.contains("early"))
                #expect(answer["Connection"] == "close")
                try? await sent
            }
        }
    }

    @Test("where a server answers early and reads on, both connections go on")
    func earlyAnswerThatGoesOn() async throws {
        try await withRawServer { gateway, server in
            let client = try await gateway.connect()
            let request = gateway.request(
                "POST", "/adapters/a/mcp", [],
                #"{"jsonrpc":"2.0","id":7,"method":"ping","x":"\#(String(repeating: "x", count: 500_000))"}"#)
            try await client.send(String(request.prefix(300_000)))
            let upstream = try await server.accept()
            _ = try await upstream.head()
            try await upstream.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 5\r\n\r\nearly")
            let answer = try await client.answer()
            #expect(answer.status == 400 && answer["Connection"] == nil)
            try await client.send(String(request.dropFirst(300_000)))
            _ = try await upstream.receive { $0.hasSuffix(#"x"}"#) || $0.hasSuffix("0\r\n\r\n") }
            try await client.send(gateway.request("POST", "/adapters/a/mcp", [], toolCall()))
            _ = try await upstream.request()
            try await upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            #expect(try await client.answer().status == 200)
        }
    }
}
