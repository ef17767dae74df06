// SPDX-License-Identifier: MIT

import Glibc
import HTTP
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import ServiceLifecycle
import Testing

/// Answers as a closure does.
struct ClosureResponder: Responder {
    let answer: @Sendable (HTTPRequest) async -> HTTPResponse

    func respond(to request: HTTPRequest) async -> HTTPResponse { await answer(request) }
}

/// Answers on the loop, within the call.
final class LoopClosure: LoopResponder {
    let answer: (HTTPRequest, HTTPExchange) -> Void

    init(_ answer: @escaping (HTTPRequest, HTTPExchange) -> Void) { self.answer = answer }

    func respond(to request: HTTPRequest, on exchange: HTTPExchange) { answer(request, exchange) }
}

/// Collects every request for one responder.
final class TestRouter: RequestRouter {
    private let responder: any LoopResponder

    init(_ responder: any LoopResponder) { self.responder = responder }

    func route(_ request: RequestView, on connection: ClientLeg) -> any RequestSink {
        CollectedRequest(request, on: connection, maximumBodyBytes: 1000, responder: responder)
    }
}

/// What a test needs of a server that runs.
struct RunningServer: Sendable {
    let port: Int
    /// Asks the server to stop.
    let shutDown: @Sendable () async -> Void
    /// Returns when the server has stopped.
    let stopped: @Sendable () async -> Void
}

/// Runs a server on a free port, or on a Unix socket, while `body` runs.
func withServer(
    _ configuration: HTTPServerConfiguration = HTTPServerConfiguration(),
    path: String? = nil,
    makeRouter: @escaping @Sendable (HTTPServerLoop) -> any RequestRouter,
    _ body: @Sendable @escaping (RunningServer) async throws -> Void
) async throws {
    let (ports, found) = AsyncStream.makeStream(of: Int.self)
    let (ends, ended) = AsyncStream.makeStream(of: Never.self)
    let address = path.map(ListenAddress.unix) ?? .tcp(host: "127.0.0.1", port: 0)
    let server = HTTPServer(
        group: MultiThreadedEventLoopGroup.singleton, addresses: [address], configuration: configuration,
        logger: quiet, makeRouter: makeRouter, onListening: { found.yield($0.first?.port ?? 0) })
    let services = ServiceGroup(
        configuration: ServiceGroupConfiguration(
            services: [.init(service: server, successTerminationBehavior: .gracefullyShutdownGroup)], logger: quiet))
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
            defer {
                found.finish()
                ended.finish()
            }
            try await services.run()
        }
        for await port in ports.prefix(1) {
            let running = RunningServer(
                port: port, shutDown: { await services.triggerGracefulShutdown() },
                stopped: { for await _ in ends {} })
            try await body(running)
        }
        group.cancelAll()
        try await group.waitForAll()
    }
}

/// Runs a server that answers as `answer` does.
func withServer(
    _ configuration: HTTPServerConfiguration = HTTPServerConfiguration(),
    path: String? = nil,
    answer: @escaping @Sendable (HTTPRequest) async -> HTTPResponse,
    _ body: @Sendable @escaping (RunningServer) async throws -> Void
) async throws {
    try await withServer(
        configuration, path: path,
        makeRouter: { _ in TestRouter(TaskResponder(ClosureResponder(answer: answer))) }, body)
}

/// Says nothing: what these servers log is looked at where it matters.
let quiet = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

/// The answer that most tests want: the request's method and target.
@Sendable
func echo(_ request: HTTPRequest) async -> HTTPResponse {
    HTTPResponse(status: 200, body: .bytes(ByteBuffer(string: "\(request.method) \(request.target)")))
}

/// Something that happens once and is waited for.
final class Event: Sendable {
    private let stream: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    init() { (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1)) }

    /// It has happened.
    func happen() {
        continuation.yield()
        continuation.finish()
    }

    /// Returns when it has happened, or the task is cancelled; fails after a deadline.
    func happened(within limit: Duration = .seconds(20)) async throws {
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask { [stream] in
                for await _ in stream {}
                return true
            }
            group.addTask {
                try await Task.sleep(for: limit)
                return false
            }
            let inTime = try await group.next()
            group.cancelAll()
            if inTime == false { throw RawClient.Failure(what: "it did not happen within \(limit)") }
        }
    }
}

/// Looks again and again until `condition` holds; fails after a deadline.
func eventually(
    within limit: Duration = .seconds(20), _ condition: @Sendable () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + limit
    while try await !condition() {
        guard ContinuousClock.now < deadline else { throw RawClient.Failure(what: "not so within \(limit)") }
        try await Task.sleep(for: .milliseconds(5))
    }
}

/// A number that several threads count up.
final class Tally: Sendable {
    private let box = NIOLockedValueBox(0)

    var value: Int { box.withLockedValue { $0 } }

    /// Counts one, and returns the new number.
    @discardableResult
    func add() -> Int {
        box.withLockedValue { value in
            value += 1
            return value
        }
    }
}

/// A path for a socket, in a directory of its own that is removed afterwards.
func withTemporaryPath(_ body: (String) async throws -> Void) async throws {
    var template = Array("/tmp/http-tests-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw RawClient.Failure(what: "mkdtemp: \(errno)") }
    let directory = String(decoding: template.dropLast().map(UInt8.init), as: UTF8.self)
    defer {
        unlink(directory + "/socket")
        rmdir(directory)
    }
    try await body(directory + "/socket")
}
