// SPDX-License-Identifier: MIT

import DataPlane
import HTTP
import Identity
import Logging
import MCPProtocol
import Model
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import RuntimeContract
import Testing

/// A small MCP server over HTTP: legacy sessions that count their calls, and whatever `extra` answers.
final class TestServer: Sendable {
    let name: String
    let seen = NIOLockedValueBox<[HTTPRequest]>([])
    private let counts = NIOLockedValueBox<[String: Int]>([:])
    /// What `initialize` is answered with.
    let result: String
    private let extra: @Sendable (HTTPRequest) -> HTTPResponse?

    init(
        _ name: String, result: String = "{}", extra: @escaping @Sendable (HTTPRequest) -> HTTPResponse? = { _ in nil }
    ) {
        self.name = name
        self.result = result
        self.extra = extra
    }

    /// What it was asked so far.
    var requests: [HTTPRequest] { seen.withLockedValue { $0 } }

    func answer(_ request: HTTPRequest) -> HTTPResponse {
        seen.withLockedValue { $0.append(request) }
        if let response = extra(request) { return response }
        let envelope = try? EnvelopeScanner.scan(Array(request.body.readableBytesView))
        let id = envelope.map { String(decoding: $0.id.json, as: UTF8.self) } ?? "null"
        if envelope?.method.equals("initialize") ?? false {
            let session = "\(name)-\(counts.withLockedValue { $0.count })"
            counts.withLockedValue { $0[session] = 0 }
            return .json(#"{"jsonrpc":"2.0","id":\#(id),"result":\#(result)}"#, ["Mcp-Session-Id": session])
        }
        guard let session = request.headers["Mcp-Session-Id"] else {
            return .json(#"{"jsonrpc":"2.0","id":\#(id),"result":"stateless on \#(name)"}"#)
        }
        if request.method == "DELETE" {
            let known = counts.withLockedValue { $0.removeValue(forKey: session) != nil }
            return HTTPResponse(status: known ? 200 : 404)
        }
        let count = counts.withLockedValue { counts in
            counts[session].map { count in
                counts[session] = count + 1
                return count + 1
            }
        }
        guard let count else { return HTTPResponse(status: 404) }
        return .json(
            #"{"jsonrpc":"2.0","id":\#(id),"result":"\#(session) call \#(count)"}"#, ["Mcp-Session-Id": session])
    }
}

extension HTTPResponse {
    static func json(_ text: String, _ headers: HTTPHeaders = HTTPHeaders(), status: Int = 200) -> HTTPResponse {
        var headers = headers
        headers.append("Content-Type", "application/json")
        return HTTPResponse(status: status, headers: headers, body: .bytes(ByteBuffer(string: text)))
    }
}

struct TestResponder: Responder {
    let answer: @Sendable (HTTPRequest) -> HTTPResponse
    func respond(to request: HTTPRequest) async -> HTTPResponse { answer(request) }
}

private final class TestRouter: RequestRouter {
    let responder: TaskResponder
    init(_ responder: any Responder) { self.responder = TaskResponder(responder) }
    func route(_ request: RequestView, on connection: ClientLeg) -> any RequestSink {
        CollectedRequest(request, on: connection, maximumBodyBytes: 64 << 20, responder: responder)
    }
}

/// Runs an HTTP server that `answer`s, on a free port, while `body` runs.
func withHTTPServer(
    _ answer: @escaping @Sendable (HTTPRequest) -> HTTPResponse, _ body: @escaping @Sendable (Int) async throws -> Void
) async throws {
    let ports = Mailbox<Int>()
    let server = HTTPServer(
        group: MultiThreadedEventLoopGroup.singleton, addresses: [.tcp(host: "127.0.0.1", port: 0)],
        logger: Logger(label: "test"), makeRouter: { _ in TestRouter(TestResponder(answer: answer)) },
        onListening: { ports.put($0[0].port ?? 0) })
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await server.run() }
        defer { group.cancelAll() }
        guard let port = try await ports.take() else { return }
        try await body(port)
    }
}

/// What servers answer besides what they do by themselves.
struct ExtraAnswers: Sendable {
    let answer: @Sendable (HTTPRequest) -> HTTPResponse?

    init(_ answer: @escaping @Sendable (HTTPRequest) -> HTTPResponse?) { self.answer = answer }
}

/// Changes to the configuration of a gateway.
struct Settings: Sendable {
    let apply: @Sendable (inout DataPlaneConfiguration) -> Void

    init(_ apply: @escaping @Sendable (inout DataPlaneConfiguration) -> Void) { self.apply = apply }
}

/// Runs a gateway with one adapter of `count` counting servers.
func withServers(
    _ count: Int = 1, extra: ExtraAnswers = ExtraAnswers { _ in nil },
    authenticator: any Authenticator = DevelopmentAuthenticator(),
    configure: Settings = Settings { _ in },
    _ body: @escaping @Sendable (TestGateway, [TestServer]) async throws -> Void
) async throws {
    let servers = (0..<count).map { TestServer("s\($0)", extra: extra.answer) }
    @Sendable func start(_ index: Int, _ ports: [Int]) async throws {
        guard index == servers.count else {
            return try await withHTTPServer(servers[index].answer) { try await start(index + 1, ports + [$0]) }
        }
        try await withGateway(authenticator: authenticator, configure: configure) { gateway in
            try gateway.publish(ports.enumerated().map { .tcp($1, "i\($0)") })
            try await body(gateway, servers)
        }
    }
    try await start(0, [])
}

/// Runs a gateway with one adapter whose server does what the test says, byte by byte.
func withRawServer(
    transport: Transport = .streamableHTTP, authenticator: any Authenticator = DevelopmentAuthenticator(),
    configure: Settings = Settings { _ in },
    sourceLocation: SourceLocation = #_sourceLocation,
    _ body: @escaping @Sendable (TestGateway, RawServer) async throws -> Void
) async throws {
    let server = try await RawServer.listen()
    try await withGateway(authenticator: authenticator, configure: configure, sourceLocation: sourceLocation) {
        gateway in
        try gateway.publish([.tcp(server.port)], transport: transport)
        try await body(gateway, server)
    }
}
