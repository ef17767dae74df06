// SPDX-License-Identifier: MIT

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

@testable import DataPlane

/// A data plane on a free port, and what it is told about adapters.
struct TestGateway: Sendable {
    /// An instance of a test.
    struct Instance: Sendable {
        var endpoint: Endpoint
        var incarnation: String
        var acceptsNewSessions = true

        static func tcp(_ port: Int, _ incarnation: String = "i", acceptsNewSessions: Bool = true) -> Instance {
            Instance(
                endpoint: .tcp(host: "127.0.0.1", port: UInt16(port)), incarnation: incarnation,
                acceptsNewSessions: acceptsNewSessions)
        }
    }

    let plane: DataPlane
    let port: Int
    /// Every load that there ever was, to see that nothing stays counted.
    fileprivate let loads = NIOLockedValueBox<[ObjectIdentifier: PlacementLoad]>([:])

    /// Tells it that adapter `name` has these instances.
    func publish(
        _ instances: [Instance], name: String = "a", transport: Transport = .streamableHTTP, roles: Set<String> = [],
        ssePath: String = "/sse", isStarting: Bool = false, authorities: [String] = [],
        recovery: SessionRecovery = .none
    ) throws {
        let name = try #require(AdapterName(name))
        let endpoints = instances.enumerated().map { ordinal, instance in
            InstanceEndpoint(
                id: InstanceID(workload: name.workload, ordinal: ordinal),
                incarnation: Incarnation(instance.incarnation), endpoint: instance.endpoint,
                acceptsNewSessions: instance.acceptsNewSessions)
        }
        plane.publish(
            AdapterDirectory([
                AdapterRoute(
                    name: name, transport: transport, ssePath: ssePath, authorities: authorities, recovery: recovery,
                    access: AccessPolicy(createdBy: "ada", requiredRoles: roles))
            ]),
            EndpointTable([name.workload: endpoints], starting: isStarting ? [name.workload] : []))
        for load in plane.loads.all { loads.withLockedValue { $0[ObjectIdentifier(load)] = load } }
    }

    func publish(
        _ instances: [(port: Int, incarnation: String)], name: String = "a", transport: Transport = .streamableHTTP
    ) throws {
        try publish(instances.map { .tcp($0.port, $0.incarnation) }, name: name, transport: transport)
    }

    func connect() async throws -> RawConnection { try await RawConnection.connect(port: port) }

    /// The bytes of a request.
    func request(
        _ method: String = "POST", _ path: String = "/adapters/a/mcp", _ headers: [String] = [], _ body: String = ""
    ) -> String {
        var text = "\(method) \(path) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\n"
        for header in headers { text += header + "\r\n" }
        if method == "POST" { text += "Content-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n" }
        return text + "\r\n" + body
    }

    /// One request on a connection of its own, and its whole answer.
    func send(
        _ method: String = "POST", _ path: String = "/adapters/a/mcp", _ headers: [String] = [], _ body: String = ""
    ) async throws -> WireMessage {
        let client = try await connect()
        try await client.send(request(method, path, headers + ["Connection: close"], body))
        return method == "HEAD" ? try await client.head() : try await client.answer()
    }

    func post(_ body: String, _ headers: [String] = []) async throws -> WireMessage {
        try await send("POST", "/adapters/a/mcp", headers, body)
    }

    /// Begins a session and returns its id.
    func initialize(_ headers: [String] = []) async throws -> String {
        let answer = try await post(initializeRequest, headers)
        return try #require(answer["Mcp-Session-Id"], "no session: \(answer)")
    }

    /// One call in a session.
    func call(_ session: String, id: String = "7") async throws -> WireMessage {
        try await post(toolCall(id: id), ["Mcp-Session-Id: \(session)", "MCP-Protocol-Version: 2025-11-25"])
    }

    /// Requests and streams that the data plane still counts.
    fileprivate var leftovers: String? {
        let loads = loads.withLockedValue { Array($0.values) }
        let requests = loads.map(\.requests)
        if requests.contains(where: { $0 != 0 }) { return "requests in flight: \(requests)" }
        let expected = loads.map(\.expectedSessions)
        if expected.contains(where: { $0 != 0 }) { return "expected sessions: \(expected)" }
        if !plane.standing.isEmpty { return "streams of principals" }
        let open = plane.registry.all.filter { $0.exchanges != 0 }
        if !open.isEmpty { return "open exchanges of sessions: \(open.map(\.exchanges))" }
        let sessions = loads.reduce(0) { $0 + $1.sessions }
        let live = plane.registry.count
        return sessions == live ? nil : "\(sessions) sessions on instances, \(live) in the registry"
    }
}

let initializeRequest =
    #"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#

/// A tool call of the legacy era.
func toolCall(id: String = "7", name: String = "count") -> String {
    #"{"jsonrpc":"2.0","id":\#(id),"method":"tools/call","params":{"name":"\#(name)"}}"#
}

/// The metadata of a modern request.
let modernMeta =
    #""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#

/// A modern request.
func modernRequest(_ method: String = "tools/call", id: String = "7", params: String = #""name":"count","#) -> String {
    #"{"jsonrpc":"2.0","id":\#(id),"method":"\#(method)","params":{\#(params)\#(modernMeta)}}"#
}

/// The headers that belong to a modern request.
func modernHeaders(_ method: String = "tools/call", name: String? = "count") -> [String] {
    ["MCP-Protocol-Version: 2026-07-28", "Mcp-Method: \(method)"] + (name.map { ["Mcp-Name: \($0)"] } ?? [])
}

/// Knows principals by a bearer token that is their name; roles follow after a slash.
struct TestAuthenticator: Authenticator {
    func identify(_ credentials: Credentials, now: Int64) throws(AuthenticationError) -> Identity {
        guard let token = credentials.bearerToken else { throw .missing }
        let parts = String(decoding: token, as: UTF8.self).split(separator: "/").map(String.init)
        guard let id = parts.first else { throw .invalid("the token names nobody") }
        return Identity(
            principal: Principal(id: id, roles: Set(parts.dropFirst())), audiences: [], hasScopes: true, expiry: .max)
    }

    func whenDecided(_ body: @escaping @Sendable () -> Void) -> Bool { false }
}

/// Runs a data plane on a free port while `body` runs, and sees that nothing stays counted afterwards.
func withGateway(
    keyRing: SessionKeyRing = .generate(),
    authenticator: any Authenticator = DevelopmentAuthenticator(),
    configure: Settings = Settings { _ in },
    sourceLocation: SourceLocation = #_sourceLocation,
    _ body: @escaping @Sendable (TestGateway) async throws -> Void
) async throws {
    let ports = Mailbox<Int>()
    var configuration = DataPlaneConfiguration(
        addresses: [.tcp(host: "127.0.0.1", port: 0)], origins: OriginPolicy(checksHost: true))
    configuration.http.sweepInterval = .milliseconds(20)
    // Connections grow old in the tests that want it, and not because a machine is busy.
    configuration.upstreamIdleTimeout = .seconds(120)
    configuration.http.halfClosedTimeout = .seconds(1)
    configure.apply(&configuration)
    let plane = DataPlane(
        configuration: configuration, keyRing: keyRing, authenticator: authenticator,
        control: TestResponder { request in
            HTTPResponse(status: 200, body: .bytes(ByteBuffer(string: "control \(request.method) \(request.path)")))
        },
        group: MultiThreadedEventLoopGroup.singleton, logger: Logger(label: "test"),
        onListening: { ports.put($0[0].port ?? 0) })
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await plane.run() }
        let gateway = TestGateway(plane: plane, port: try #require(try await ports.take()))
        defer { group.cancelAll() }
        try await body(gateway)
        // Clients that have gone may not have been noticed yet.
        do {
            try await eventually("nothing is counted any more", within: .seconds(5)) { gateway.leftovers == nil }
        } catch {
            Issue.record("\(gateway.leftovers ?? "settled late")", sourceLocation: sourceLocation)
        }
    }
}
