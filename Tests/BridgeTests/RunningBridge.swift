// SPDX-License-Identifier: MIT

import Glibc
import Logging
import MCPProtocol
import ServiceLifecycle
import Testing

@testable import Bridge

/// What a test changes in the configuration.
struct Configure {
    let apply: (inout BridgeConfiguration) -> Void

    init(_ apply: @escaping (inout BridgeConfiguration) -> Void) {
        self.apply = apply
    }
}

/// A bridge that runs for the length of a test, on a Unix socket, with the fixture server behind it.
struct RunningBridge: Sendable {
    /// Sends requests to it.
    let client: HTTPClient

    /// Runs `body` with a bridge, stops the bridge, and waits for its end.
    static func with(
        _ mode: String, _ configure: Configure = Configure { _ in },
        _ body: @escaping @Sendable (RunningBridge) async throws -> Void
    ) async throws {
        let folder = try temporaryFolder()
        defer { rmdir(folder) }
        let socket = folder + "/socket"
        defer { unlink(socket) }
        let (command, arguments) = StdioServer.command(mode)
        var configuration = BridgeConfiguration(
            command: command, arguments: arguments, listener: .unixSocket(path: socket))
        configure.apply(&configuration)
        let (ready, readiness) = AsyncStream.makeStream(of: UInt16?.self)
        var log = Logger(label: "test")
        log.logLevel = getenv("BRIDGE_TEST_LOG") == nil ? .critical : .trace
        let bridge = Bridge(configuration, log: log) { port in
            readiness.yield(port)
            readiness.finish()
        }
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                defer { readiness.finish() }
                try await bridge.run()
            }
            var port: UInt16?
            var isReady = false
            for await value in ready { (port, isReady) = (value, true) }
            if isReady {
                let client = HTTPClient(port.map { .tcp(Int($0)) } ?? .unix(socket))
                do {
                    try await body(RunningBridge(client: client))
                } catch {
                    tasks.cancelAll()
                    throw error
                }
            }
            tasks.cancelAll()
            try await tasks.waitForAll()
        }
    }

    /// Waits until `condition` holds; fails after a minute.
    static func eventually(
        _ what: Comment, _ location: SourceLocation = #_sourceLocation, _ condition: () async throws -> Bool
    ) async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < deadline {
            if try await condition() { return }
            try await Task.sleep(for: .milliseconds(5))
        }
        Issue.record(what, sourceLocation: location)
    }

    /// Whether a process exists, and is not just waiting to be reaped.
    static func isAlive(_ pid: Int32) -> Bool {
        guard let status = read("/proc/\(pid)/stat") else { return false }
        return !status.components(separatedBy: ") ").dropFirst().joined().hasPrefix("Z")
    }

    /// How many bytes a process has written so far, to wherever.
    static func bytesWritten(by pid: Int32) -> Int {
        Int(read("/proc/\(pid)/io")?.number(after: "wchar: ") ?? 0)
    }

    private static func read(_ path: String) -> String? {
        let descriptor = Glibc.open(path, O_RDONLY)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 65536)
        let count = Glibc.read(descriptor, &bytes, bytes.count)
        return count >= 0 ? String(decoding: bytes.prefix(count), as: UTF8.self) : nil
    }

    private static func temporaryFolder() throws -> String {
        var template = Array("/tmp/mcp-bridge-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Unmet(seen: "mkdtemp failed") }
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

extension String {
    /// The number behind the first occurrence of `mark`.
    func number(after mark: String) -> Int32? {
        components(separatedBy: mark, maximum: 2).dropFirst().first.flatMap { Int32($0.prefix(while: \.isNumber)) }
    }
}

// MARK: Requests

/// What every MCP client sends along.
let clientHeaders = [("Content-Type", "application/json"), ("Accept", "application/json, text/event-stream")]

extension RunningBridge {
    /// A legacy session that was begun.
    struct Session: Sendable {
        let bridge: RunningBridge
        let id: String
        let version: String

        var headers: [(String, String)] {
            clientHeaders + [("Mcp-Session-Id", id), ("MCP-Protocol-Version", version)]
        }

        /// Sends one message and waits for the whole answer.
        func post(_ body: String) async throws -> HTTPReply {
            try await bridge.client.send("POST", headers: headers, body: body)
        }

        /// Sends one message and gives the connection.
        func open(_ body: String) async throws -> HTTPConversation {
            try await bridge.client.open("POST", headers: headers, body: body)
        }

        /// Calls a tool and waits for the whole answer.
        func call(_ name: String, id: String = "1", arguments: String = "{}", token: String? = nil) async throws
            -> HTTPReply
        {
            try await post(toolCall(name, id: id, arguments: arguments, token: token))
        }

        /// The process that serves the session.
        func processID() async throws -> Int32? {
            try await call("pid").messages.last?.number(after: #""text": "#)
        }

        /// Opens a stream of messages that belong to no request, or resumes one.
        func listen(after event: String? = nil) async throws -> HTTPConversation {
            try await bridge.client.open(
                "GET", headers: headers + (event.map { [("Last-Event-ID", $0)] } ?? []))
        }
    }

    /// Begins a session.
    func initialize(version: String = "2025-11-25", principal: String? = nil) async throws -> Session {
        let reply = try await client.send(
            "POST", headers: clientHeaders + (principal.map { [("MCP-Gateway-Principal", $0)] } ?? []),
            body: initializeRequest(version: version))
        try #require(reply.status == 200, "\(reply)")
        let session = Session(
            bridge: self, id: try #require(reply.headers["mcp-session-id"]), version: version)
        let accepted = try await session.post(#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#)
        #expect(accepted.status == 202)
        return session
    }

    /// Sends a modern request and gives the connection.
    func openModern(
        _ method: String, id: String = "1", name: String? = nil, params: String = "", token: String? = nil,
        principal: String? = nil
    ) async throws -> HTTPConversation {
        var headers = clientHeaders + [("MCP-Protocol-Version", "2026-07-28"), ("Mcp-Method", method)]
        if let name { headers.append(("Mcp-Name", name)) }
        if let principal { headers.append(("MCP-Gateway-Principal", principal)) }
        return try await client.open(
            "POST", headers: headers, body: modernRequest(method, id: id, name: name, params: params, token: token))
    }

    /// Sends a modern request and waits for the whole answer.
    func modern(
        _ method: String, id: String = "1", name: String? = nil, params: String = "", token: String? = nil,
        principal: String? = nil
    ) async throws -> HTTPReply {
        let conversation = try await openModern(
            method, id: id, name: name, params: params, token: token, principal: principal)
        defer { conversation.close() }
        return try await conversation.reply { $0.isComplete }
    }
}

/// The text of an `initialize`.
func initializeRequest(version: String = "2025-11-25", id: String = "0") -> String {
    #"{"jsonrpc":"2.0","id":\#(id),"method":"initialize","params":{"protocolVersion":"\#(version)","#
        + #""capabilities":{},"clientInfo":{"name":"test","version":"1"}}}"#
}

/// The text of a legacy `tools/call`.
func toolCall(_ name: String, id: String = "1", arguments: String = "{}", token: String? = nil) -> String {
    let meta = token.map { #","_meta":{"progressToken":\#($0)}"# } ?? ""
    return
        #"{"jsonrpc":"2.0","id":\#(id),"method":"tools/call","params":{"name":"\#(name)","arguments":\#(arguments)\#(meta)}}"#
}

/// The text of a modern request.
func modernRequest(_ method: String, id: String, name: String?, params: String, token: String?) -> String {
    let token = token.map { #","progressToken":\#($0)"# } ?? ""
    let name = name.map { #""name":"\#($0)","# } ?? ""
    return #"{"jsonrpc":"2.0","id":\#(id),"method":"\#(method)","params":{\#(name)\#(params)"_meta":{"#
        + #""io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}\#(token)}}}"#
}
