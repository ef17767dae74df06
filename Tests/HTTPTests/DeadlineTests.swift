// SPDX-License-Identifier: MIT

import HTTP
import NIOCore
import Testing

extension HTTPServerConfiguration {
    /// Deadlines that tests need not wait long for; those that are not the matter are the defaults.
    static func quick(_ change: (inout HTTPServerConfiguration) -> Void) -> HTTPServerConfiguration {
        var configuration = HTTPServerConfiguration()
        configuration.sweepInterval = .milliseconds(10)
        change(&configuration)
        return configuration
    }
}

@Suite("Deadlines of connections")
struct DeadlineTests {
    @Test("a head that is not sent to its end is answered with 408")
    func slowHead() async throws {
        // Long enough for the first bytes to come in time on a machine that is busy.
        try await withServer(.quick { $0.headTimeout = .seconds(2) }, answer: echo) { server in
            let client = try RawClient(port: server.port)
            try client.send("GET / HTTP/1.1\r\nHost:")
            #expect(try await client.receiveAll().hasPrefix("HTTP/1.1 408 Request Timeout\r\n"))
        }
    }

    @Test("a body that is not sent to its end is answered with 408")
    func slowBody() async throws {
        try await withServer(.quick { $0.bodyTimeout = .milliseconds(50) }, answer: echo) { server in
            for framing in ["Content-Length: 3\r\n\r\na", "Transfer-Encoding: chunked\r\n\r\n5\r\na"] {
                let client = try RawClient(port: server.port)
                try client.send("POST / HTTP/1.1\r\nHost: h\r\n\(framing)")
                #expect(try await client.receiveAll().hasPrefix("HTTP/1.1 408 Request Timeout\r\n"))
            }
        }
    }

    @Test("a connection that never says anything is closed without an answer")
    func silent() async throws {
        try await withServer(.quick { $0.headTimeout = .milliseconds(50) }, answer: echo) { server in
            let silent = try await RawClient(port: server.port).receiveAll()
            #expect(silent == "")
        }
    }

    @Test("an idle connection is closed without an answer")
    func idle() async throws {
        try await withServer(.quick { $0.idleTimeout = .seconds(1) }, answer: echo) { server in
            let client = try RawClient(port: server.port)
            try client.send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n")
            #expect(try await client.receiveAll().hasSuffix("GET /a"))
        }
    }

    @Test("an answer may take longer than any of the client's deadlines")
    func slowAnswer() async throws {
        let idleEnded = Event()
        let answer: @Sendable (HTTPRequest) async -> HTTPResponse = { request in
            if request.path == "/slow" { try? await idleEnded.happened() }
            return await echo(request)
        }
        let configuration = HTTPServerConfiguration.quick {
            $0.headTimeout = .seconds(1)
            $0.bodyTimeout = .seconds(1)
            $0.idleTimeout = .seconds(1)
        }
        try await withServer(configuration, answer: answer) { server in
            let slow = try RawClient(port: server.port)
            try slow.send("GET /slow HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            // Connections that came later reach their deadlines, several times.
            for _ in 0..<2 {
                let silent = try await RawClient(port: server.port).receiveAll()
                #expect(silent == "")
            }
            idleEnded.happen()
            #expect(try await slow.receiveAll().hasSuffix("GET /slow"))
        }
    }

    @Test("a client that takes nothing of its answer is closed", arguments: ["", "Connection: close\r\n"])
    func stuckReader(close: String) async throws {
        try await withServer(.impatient, answer: large) { server in
            let client = try RawClient(port: server.port, receiveBytes: 4096)
            try client.send("GET / HTTP/1.1\r\nHost: h\r\n\(close)\r\n")
            // The other end is seen to have gone though nothing of what has arrived was taken.
            try await eventually { client.isReset }
        }
    }

    @Test("a client that takes its answer slowly gets all of it", arguments: ["", "Connection: close\r\n"])
    func slowReader(close: String) async throws {
        try await withServer(.impatient, answer: large) { server in
            let client = try RawClient(port: server.port, receiveBytes: 4096)
            try client.send("GET / HTTP/1.1\r\nHost: h\r\n\(close)\r\n")
            // In all it takes longer than any of the deadlines, and so does what makes the kernel ask for more.
            let received = try await client.receiveSlowly(bytes: largeSize, pieces: 96, pause: 40_000)
            #expect(received >= largeSize)
        }
    }
}

/// More than the kernel keeps for both ends.
private let largeSize = 6 << 20

@Sendable
private func large(_ request: HTTPRequest) async -> HTTPResponse {
    HTTPResponse(status: 200, body: .bytes(ByteBuffer(repeating: 0x78, count: largeSize)))
}

extension HTTPServerConfiguration {
    /// Waits half a second for whatever the client does.
    fileprivate static var impatient: HTTPServerConfiguration {
        .quick {
            $0.writeTimeout = .milliseconds(500)
            $0.idleTimeout = .milliseconds(500)
            $0.lingerTimeout = .milliseconds(20)
        }
    }
}
