// SPDX-License-Identifier: MIT

import DataPlane
import HTTP
import Identity
import Logging
import MCPProtocol
import Model
import NIOCore
import NIOPosix
import RuntimeContract

/// A data plane on a free port, and what it is told about adapters.
struct TestGateway: Sendable {
    let plane: DataPlane
    let port: Int

    /// Tells it that adapter `name` has instances of these incarnations on these ports.
    func publish(
        _ instances: [(port: Int, incarnation: String)], name: String = "a", transport: Transport = .streamableHTTP,
        roles: Set<String> = []
    ) throws {
        guard let name = AdapterName(name) else { throw RawClient.Failure(what: "no name: \(name)") }
        let endpoints = instances.enumerated().map { ordinal, instance in
            InstanceEndpoint(
                id: InstanceID(workload: name.workload, ordinal: ordinal),
                incarnation: Incarnation(instance.incarnation),
                endpoint: .tcp(host: "127.0.0.1", port: UInt16(instance.port)), acceptsNewSessions: true)
        }
        plane.publish(
            AdapterDirectory([
                AdapterRoute(
                    name: name, transport: transport, access: AccessPolicy(createdBy: "ada", requiredRoles: roles))
            ]),
            EndpointTable([name.workload: endpoints]))
    }

    /// One request on a connection of its own, and its whole answer.
    func send(
        _ method: String = "POST", _ path: String = "/adapters/a/mcp", _ headers: [String] = [], _ body: String = ""
    ) async throws -> Answer {
        let client = try RawClient(port: port)
        var text = "\(method) \(path) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nConnection: close\r\n"
        for header in headers { text += header + "\r\n" }
        if method == "POST" { text += "Content-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n" }
        try client.send(text + "\r\n" + body)
        return Answer(try await client.receiveAll())
    }

    /// Begins a session and returns its id.
    func initialize() async throws -> String {
        let answer = try await send("POST", "/adapters/a/mcp", [], initializeRequest)
        guard let id = answer["Mcp-Session-Id"] else { throw RawClient.Failure(what: "no session: \(answer.text)") }
        return id
    }

    /// One call in a session.
    func call(_ session: String, id: String = "7") async throws -> Answer {
        try await send(
            "POST", "/adapters/a/mcp", ["Mcp-Session-Id: \(session)", "MCP-Protocol-Version: 2025-11-25"],
            #"{"jsonrpc":"2.0","id":\#(id),"method":"tools/call","params":{"name":"count"}}"#)
    }
}

let initializeRequest =
    #"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#

/// An answer as it came over the wire.
struct Answer {
    let text: String
    let status: Int
    let body: String

    init(_ text: String) {
        self.text = text
        status = Int(text.dropFirst(9).prefix(3)) ?? 0
        body = text.firstRange(of: "\r\n\r\n").map { String(text[$0.upperBound...]) } ?? ""
    }

    subscript(_ name: String) -> String? {
        for line in text.split(separator: "\r\n", omittingEmptySubsequences: false) {
            if line.isEmpty { return nil }
            let parts = line.split(separator: ":", maxSplits: 1)
            if parts.count == 2, parts[0].lowercased() == name.lowercased() {
                return String(parts[1].drop { $0 == " " })
            }
        }
        return nil
    }
}

/// Runs a data plane on a free port while `body` runs.
func withGateway(
    keyRing: SessionKeyRing = .generate(),
    configure: (inout DataPlaneConfiguration) -> Void = { _ in },
    _ body: @escaping @Sendable (TestGateway) async throws -> Void
) async throws {
    let (ports, found) = AsyncStream.makeStream(of: Int.self)
    var configuration = DataPlaneConfiguration(
        addresses: [.tcp(host: "127.0.0.1", port: 0)], origins: OriginPolicy(checksHost: true))
    configure(&configuration)
    let plane = DataPlane(
        configuration: configuration, keyRing: keyRing, authenticator: DevelopmentAuthenticator(),
        control: TestResponder { _ in HTTPResponse(status: 404) }, group: MultiThreadedEventLoopGroup.singleton,
        logger: Logger(label: "test"), onListening: { found.yield($0[0].port ?? 0) })
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await plane.run() }
        for await port in ports.prefix(1) { try await body(TestGateway(plane: plane, port: port)) }
        group.cancelAll()
    }
}
