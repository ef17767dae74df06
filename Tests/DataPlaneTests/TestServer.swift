// SPDX-License-Identifier: MIT

import HTTP
import Logging
import MCPProtocol
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// A small MCP server over HTTP: legacy sessions that count their calls, and whatever `extra` answers.
final class TestServer: Sendable {
    let name: String
    let seen = NIOLockedValueBox<[HTTPRequest]>([])
    private let counts = NIOLockedValueBox<[String: Int]>([:])
    private let extra: @Sendable (HTTPRequest) -> HTTPResponse?

    init(_ name: String, extra: @escaping @Sendable (HTTPRequest) -> HTTPResponse? = { _ in nil }) {
        self.name = name
        self.extra = extra
    }

    func answer(_ request: HTTPRequest) -> HTTPResponse {
        seen.withLockedValue { $0.append(request) }
        if let response = extra(request) { return response }
        let envelope = try? EnvelopeScanner.scan(Array(request.body.readableBytesView))
        let id = envelope.map { String(decoding: $0.id.json, as: UTF8.self) } ?? "null"
        if envelope?.method.equals("initialize") ?? false {
            let session = "\(name)-\(counts.withLockedValue { $0.count })"
            counts.withLockedValue { $0[session] = 0 }
            return .json(#"{"jsonrpc":"2.0","id":\#(id),"result":{}}"#, ["Mcp-Session-Id": session])
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
    func route(_ request: RequestView, on connection: HTTPServerConnection) -> any RequestSink {
        CollectedRequest(request, on: connection, maximumBodyBytes: 64 << 20, responder: responder)
    }
}

/// Runs an HTTP server that `answer`s, on a free port, while `body` runs.
func withHTTPServer(
    _ answer: @escaping @Sendable (HTTPRequest) -> HTTPResponse, _ body: @escaping @Sendable (Int) async throws -> Void
) async throws {
    let (ports, found) = AsyncStream.makeStream(of: Int.self)
    let server = HTTPServer(
        group: MultiThreadedEventLoopGroup.singleton, addresses: [.tcp(host: "127.0.0.1", port: 0)],
        logger: Logger(label: "test"), makeRouter: { _ in TestRouter(TestResponder(answer: answer)) },
        onListening: { found.yield($0[0].port ?? 0) })
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await server.run() }
        for await port in ports.prefix(1) { try await body(port) }
        group.cancelAll()
    }
}
