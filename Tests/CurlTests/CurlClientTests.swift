// SPDX-License-Identifier: MIT

import Curl
import Testing

@Suite("Requests of the gateway's own")
struct CurlClientTests {
    private static func withServer<T>(
        _ answer: [UInt8], holds: Bool = false, _ body: (String) async throws -> T
    ) async throws -> T {
        let server = try await AnsweringServer(answer, holds: holds)
        let result: Result<T, any Error>
        do { result = .success(try await body("http://127.0.0.1:\(server.port)")) } catch { result = .failure(error) }
        await server.close()
        return try result.get()
    }

    private static let deadlines = CurlDeadlines(connect: .seconds(5), head: .seconds(20), total: .seconds(20))

    @Test("status, headers and body come back as they were sent")
    func answer() async throws {
        let text = "HTTP/1.1 201 Created\r\nContent-Length: 5\r\nX-Word:  two words \r\n\r\nhello"
        try await Self.withServer(Array(text.utf8)) { url in
            let response = try await CurlClient().send(CurlRequest("GET", url, deadlines: Self.deadlines))
            #expect(response.head.status == 201)
            #expect(response.head["x-word"] == "two words")
            #expect(try await response.collect(maximumBytes: 100) == Array("hello".utf8))
        }
    }

    @Test("an interim answer is passed over")
    func interim() async throws {
        let text = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"
        try await Self.withServer(Array(text.utf8)) { url in
            let response = try await CurlClient().send(CurlRequest("GET", url, deadlines: Self.deadlines))
            #expect(response.head.status == 204 && response.head["link"] == nil)
            #expect(try await response.collect(maximumBytes: 0).isEmpty)
        }
    }

    @Test("a large body arrives whole, through a small buffer")
    func backPressure() async throws {
        let count = 8 << 20
        let body = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
        let head = Array("HTTP/1.1 200 OK\r\nContent-Length: \(count)\r\n\r\n".utf8)
        try await Self.withServer(head + body) { url in
            let request = CurlRequest("GET", url, deadlines: Self.deadlines, bufferBytes: 1000)
            let response = try await CurlClient().send(request)
            #expect(try await response.collect(maximumBytes: count) == body)
        }
    }

    @Test("an answer that is larger than wanted is refused")
    func bounded() async throws {
        let text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
        try await Self.withServer(Array(text.utf8)) { url in
            let response = try await CurlClient().send(CurlRequest("GET", url, deadlines: Self.deadlines))
            await #expect { _ = try await response.collect(maximumBytes: 4) } throws: { Self.code($0) == .tooLarge }
        }
    }

    @Test("a head that never comes ends with its deadline")
    func headDeadline() async throws {
        try await Self.withServer([], holds: true) { url in
            let deadlines = CurlDeadlines(head: .milliseconds(100), total: nil)
            let client = CurlClient()
            await #expect { _ = try await client.send(CurlRequest("GET", url, deadlines: deadlines)) } throws: {
                Self.code($0) == .timedOut
            }
        }
    }

    @Test("a body that stops in the middle is an error, not an end")
    func cut() async throws {
        try await Self.withServer(Array("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello".utf8)) { url in
            let response = try await CurlClient().send(CurlRequest("GET", url, deadlines: Self.deadlines))
            await #expect { _ = try await response.collect(maximumBytes: 100) } throws: {
                Self.code($0) == .unreachable
            }
        }
    }

    @Test("cancelling the reader of a stream ends it")
    func cancellation() async throws {
        let text = "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello"
        try await Self.withServer(Array(text.utf8), holds: true) { url in
            let response = try await CurlClient().send(
                CurlRequest("GET", url, deadlines: CurlDeadlines(total: nil)))
            #expect(try await response.body.next() == Array("hello".utf8))
            // Cancelled in the next line but one.
            let reading = Task { try await response.body.next() }
            reading.cancel()
            await #expect { _ = try await reading.value } throws: { Self.code($0) == .cancelled }
        }
    }

    @Test("closing the client ends what is under way, and refuses more")
    func close() async throws {
        try await Self.withServer(Array("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n".utf8), holds: true) { url in
            let client = CurlClient()
            let response = try await client.send(CurlRequest("GET", url, deadlines: CurlDeadlines(total: nil)))
            client.close()
            await #expect { _ = try await response.body.next() } throws: { Self.code($0) == .closed }
            await #expect { _ = try await client.send(CurlRequest("GET", url)) } throws: { Self.code($0) == .closed }
        }
    }

    @Test("more requests than there may be are refused")
    func overloaded() async throws {
        try await Self.withServer(Array("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n".utf8), holds: true) { url in
            let client = CurlClient(maximumTransfers: 1)
            let response = try await client.send(CurlRequest("GET", url, deadlines: CurlDeadlines(total: nil)))
            await #expect { _ = try await client.send(CurlRequest("GET", url)) } throws: {
                Self.code($0) == .overloaded
            }
            withExtendedLifetime(response) {}
        }
    }

    @Test("nobody listens")
    func refused() async throws {
        let server = try await AnsweringServer([], holds: false)
        await server.close()
        await #expect {
            _ = try await CurlClient().send(CurlRequest("GET", "http://127.0.0.1:\(server.port)"))
        } throws: {
            Self.code($0) == .unreachable
        }
    }

    @Test("a request that can't be sent is refused")
    func invalid() async throws {
        for request in [
            CurlRequest("GET", "http://127.0.0.1", headers: [("X-A", "one\r\nX-B: two")]),
            CurlRequest("GET", "file:///etc/hostname"), CurlRequest("GET", "http://"),
        ] {
            await #expect { _ = try await CurlClient().send(request) } throws: { Self.code($0) == .invalidRequest }
        }
    }

    private static func code(_ error: any Error) -> CurlError.Code? { (error as? CurlError)?.code }
}
