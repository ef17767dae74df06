// SPDX-License-Identifier: MIT

import Glibc
import HTTP
import NIOCore
import NIOPosix
import ServiceLifecycle
import Testing

@Suite("Listening")
struct ListeningTests {
    @Test("connections beyond the limit wait until one closes")
    func connectionLimit() async throws {
        try await withServer(.quick { $0.maximumConnections = 2 }, answer: echo) { server in
            let first = try await Self.served(server.port)
            let second = try await Self.served(server.port)
            let third = try RawClient(port: server.port)
            try third.send("GET /third HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            for _ in 0..<20 {
                try first.send("GET /again HTTP/1.1\r\nHost: h\r\n\r\n")
                _ = try await first.receive { $0.hasSuffix("GET /again") }
                #expect(third.hasNothing)
            }
            second.disconnect()
            #expect(try await third.receiveAll().hasSuffix("GET /third"))
            // And again, so that the count is right.
            _ = try await Self.served(server.port)
        }
    }

    @Test("when descriptors run out, connections wait and the others are served")
    func descriptorsRunOut() async throws {
        await #expect(processExitsWith: .success) {
            try await withServer(.quick { _ in }, answer: echo) { server in
                // Clients have their descriptors before the limit falls, so that only accepting needs new ones.
                let clients = try (0..<40).map { _ in try RawClient() }
                let next = dup(0)
                close(next)
                var limit = rlimit()
                getrlimit(__rlimit_resource_t(7), &limit)
                limit.rlim_cur = rlim_t(next + 10)
                guard setrlimit(__rlimit_resource_t(7), &limit) == 0 else { throw RawClient.Failure(what: "setrlimit") }
                for client in clients {
                    try client.connect(port: server.port)
                    try client.send("GET /some HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
                }
                // Each closes when it is answered, which makes room for those that wait.
                for client in clients {
                    let text = try await client.receiveAll()
                    guard text.hasSuffix("GET /some") else { throw RawClient.Failure(what: text) }
                    client.disconnect()
                }
            }
        }
    }

    @Test("a Unix socket is listened on, and removed in the end")
    func unixSocket() async throws {
        try await withTemporaryPath { path in
            let peer = AsyncStream.makeStream(of: String.self)
            let answer: @Sendable (HTTPRequest) async -> HTTPResponse = { request in
                peer.continuation.yield(request.peer)
                return await echo(request)
            }
            try await withServer(path: path, answer: answer) { _ in
                let client = try RawClient(path: path)
                try client.send("GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
                #expect(try await client.receiveAll().hasSuffix("GET /a"))
                for await peer in peer.stream.prefix(1) { #expect(peer == "unix") }
            }
            #expect(access(path, F_OK) != 0)
        }
    }

    @Test("a socket that nobody listens on is replaced, one that is listened on is not")
    func takenSocket() async throws {
        try await withTemporaryPath { path in
            let left = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
            let address = try SocketAddress(unixDomainSocketPath: path)
            #expect(address.withSockAddr { bind(left, $0, socklen_t($1)) } == 0)
            close(left)
            try await withServer(path: path, answer: echo) { _ in
                let failure = await #expect(throws: ListenError.self) {
                    try await withServer(path: path, answer: echo) { _ in Issue.record("two servers listen on it") }
                }
                #expect(failure?.address == .unix(path: path))
                let client = try RawClient(path: path)
                try client.send("GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
                #expect(try await client.receiveAll().hasSuffix("GET /a"))
            }
        }
    }

    @Test("a port that is taken is named in the error")
    func takenPort() async throws {
        try await withServer(answer: echo) { server in
            let address = ListenAddress.tcp(host: "127.0.0.1", port: UInt16(server.port))
            let second = HTTPServer(
                group: MultiThreadedEventLoopGroup.singleton, addresses: [address], logger: quiet,
                makeRouter: { _ in TestRouter(TaskResponder(ClosureResponder(answer: echo))) })
            let failure = await #expect(throws: ListenError.self) { try await second.run() }
            #expect(failure?.address == address)
        }
    }

    @Test("a server whose listener dies fails")
    func deadListener() async throws {
        await #expect(throws: ListenError.self) {
            try await withServer(answer: echo) { server in
                // Not accepting any more is what the system can make of a listening socket behind our back.
                for descriptor in 3..<Int32(min(getdtablesize(), 100_000))
                where Self.isListening(descriptor, port: server.port) {
                    shutdown(descriptor, Int32(SHUT_RD))
                }
                await server.stopped()
            }
        }
    }

    private static func isListening(_ descriptor: Int32, port: Int) -> Bool {
        var (accepts, size) = (Int32(0), socklen_t(MemoryLayout<Int32>.size))
        guard getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &size) == 0, accepts == 1 else {
            return false
        }
        var address = [UInt8](repeating: 0, count: 128)
        size = socklen_t(address.count)
        let result = address.withUnsafeMutableBytes { bytes in
            bytes.withMemoryRebound(to: sockaddr.self) { getsockname(descriptor, $0.baseAddress, &size) }
        }
        // `sockaddr_in`: two bytes of family, two of port.
        return result == 0 && Int32(address[0]) == AF_INET && Int(address[2]) << 8 | Int(address[3]) == port
    }

    /// A client whose connection was accepted, and is open.
    private static func served(_ port: Int) async throws -> RawClient {
        let client = try RawClient(port: port)
        try client.send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n")
        _ = try await client.receive { $0.hasSuffix("GET /a") }
        return client
    }
}

@Suite("Shutdown of the server")
struct ShutdownTests {
    @Test("idle connections are closed and a busy one ends after its answer")
    func graceful() async throws {
        let (started, released) = (Event(), Event())
        let answer: @Sendable (HTTPRequest) async -> HTTPResponse = { request in
            guard request.path == "/busy" else { return await echo(request) }
            started.happen()
            try? await released.happened()
            return await echo(request)
        }
        try await withServer(answer: answer) { server in
            let idle = try RawClient(port: server.port)
            try idle.send("GET /idle HTTP/1.1\r\nHost: h\r\n\r\n")
            _ = try await idle.receive { $0.hasSuffix("GET /idle") }
            let busy = try RawClient(port: server.port)
            try busy.send("GET /busy HTTP/1.1\r\nHost: h\r\n\r\nGET /pipelined HTTP/1.1\r\nHost: h\r\n\r\n")
            try await started.happened()
            await server.shutDown()
            #expect(try await idle.receiveAll() == "")
            await #expect(throws: RawClient.Failure.self) {
                let late = try RawClient(port: server.port)
                try late.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
                if try await late.receiveAll() == "" { throw RawClient.Failure(what: "closed") }
            }
            released.happen()
            let text = try await busy.receiveAll()
            #expect(text.contains("\r\nConnection: close\r\n"))
            #expect(text.hasSuffix("GET /busy"))
            busy.disconnect()
            await server.stopped()
        }
    }

    @Test("an answer without end ends in good order at once, one with an end goes on")
    func streams() async throws {
        let (released, endless) = (Event(), Event())
        let answer: @Sendable (HTTPRequest) async -> HTTPResponse = { request in
            let pieces = Tally()
            let isEndless = request.path == "/endless"
            return HTTPResponse(
                status: 200,
                body: .stream(
                    HTTPBodyStream(isEndless: isEndless) {
                        switch pieces.add() {
                        case 1: return ByteBuffer(string: "first")
                        case 2:
                            try? await (isEndless ? endless : released).happened()
                            return Task.isCancelled ? nil : ByteBuffer(string: "last")
                        default: return nil
                        }
                    }))
        }
        // The drain time is far beyond the deadlines of the test.
        try await withServer(.quick { $0.drainTimeout = .hours(1) }, answer: answer) { server in
            let finite = try RawClient(port: server.port)
            try finite.send("GET /finite HTTP/1.1\r\nHost: h\r\n\r\n")
            _ = try await finite.receive { $0.contains("first") }
            let standing = try RawClient(port: server.port)
            try standing.send("GET /endless HTTP/1.1\r\nHost: h\r\n\r\n")
            _ = try await standing.receive { $0.contains("first") }
            await server.shutDown()
            #expect(try await standing.receiveAll() == "0\r\n\r\n")
            released.happen()
            #expect(try await finite.receiveAll().hasSuffix("4\r\nlast\r\n0\r\n\r\n"))
            standing.disconnect()
            finite.disconnect()
            await server.stopped()
        }
    }

    @Test("what is not done at the drain deadline is broken off")
    func drainDeadline() async throws {
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
        try await withServer(.quick { $0.drainTimeout = .milliseconds(50) }, answer: answer) { server in
            let client = try RawClient(port: server.port)
            try client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            try await started.happened()
            await server.shutDown()
            #expect(try await client.receiveAll() == "")
            try await cancelled.happened()
            await server.stopped()
        }
    }

    @Test("cancellation breaks off at once, also while draining")
    func cancellation() async throws {
        let started = Event()
        let answer: @Sendable (HTTPRequest) async -> HTTPResponse = { request in
            started.happen()
            try? await Event().happened(within: .seconds(60))
            return await echo(request)
        }
        // The drain time is far beyond the deadlines of the test.
        try await withServer(.quick { $0.drainTimeout = .hours(1) }, answer: answer) { server in
            let client = try RawClient(port: server.port)
            try client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            try await started.happened()
            await server.shutDown()
        }
    }
}
