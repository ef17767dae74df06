// SPDX-License-Identifier: MIT

import ControlPlane
import FoundationEssentials
import HTTP
import Identity
import JSON
import Logging
import MemoryRuntime
import Model
import NIOCore
import RuntimeContract
import Store
import Synchronization
import Testing

/// A control plane on a database of its own, with the in-memory driver.
struct TestGateway: Sendable {
    /// What the data plane was told last, and how often it was told something.
    struct Published: Sendable {
        var directory = AdapterDirectory()
        var endpoints = EndpointTable()
        var count = 0
    }

    /// What the data plane was told.
    final class Board: Sendable {
        let published = Mutex(Published())
        var latest: Published { published.withLock { $0 } }
    }

    let store: AdapterStore
    let driver: MemoryRuntime
    let controlPlane: ControlPlane
    let board: Board

    /// Opens the database in `folder`.
    init(
        folder: String,
        driver: MemoryRuntime = MemoryRuntime(),
        configuration: ControlPlaneConfiguration = .impatient,
        authenticate: @escaping ControlPlaneConfiguration.Authenticator = TestGateway.principal
    ) throws {
        let board = Board()
        self.board = board
        self.driver = driver
        store = try AdapterStore(path: folder + "/gateway.db")
        controlPlane = ControlPlane(
            store: store, driver: driver, configuration: configuration,
            publish: { directory, endpoints in
                board.published.withLock { published in
                    published = Published(directory: directory, endpoints: endpoints, count: published.count + 1)
                }
            },
            authenticate: authenticate, logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
    }

    /// Who the header `Test-Principal: id role role` says; the development principal without one, nobody for `-`.
    static let principal: ControlPlaneConfiguration.Authenticator = { request throws(AuthenticationError) in
        guard let words = request.headers["Test-Principal"]?.split(separator: " ").map(String.init) else {
            return .development
        }
        guard words[0] != "-" else { throw .missing }
        return Principal(id: words[0], roles: Set(words.dropFirst()))
    }

    /// Runs the control plane, and the driver too if `withDriver`, while `body` runs.
    func run(withDriver: Bool = true, _ body: () async throws -> Void) async throws {
        let (driver, controlPlane) = (driver, controlPlane)
        try await withThrowingTaskGroup(of: Void.self) { group in
            if withDriver { group.addTask { await driver.run() } }
            group.addTask { try await controlPlane.run() }
            try await body()
            group.cancelAll()
            while let result = await group.nextResult() {
                if case .failure(let error) = result, !(error is CancellationError) { throw error }
            }
        }
    }

    /// Sends a request and checks the answer against the contract.
    @discardableResult
    func send(
        _ method: String,
        _ target: String,
        headers: HTTPHeaders = HTTPHeaders(),
        as principal: String? = nil,
        body: [UInt8]? = nil,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> Answer {
        var headers = headers
        if body != nil, headers["Content-Type"] == nil { headers.set("Content-Type", "application/json") }
        if let principal { headers.set("Test-Principal", principal) }
        let parts = target.split(separator: "?", maxSplits: 1).map(String.init)
        let request = HTTPRequest(
            method: method, path: PercentCoding.decode(parts.first ?? ""),
            query: parts.count > 1 ? PercentCoding.query(parts[1]) : [], target: target, headers: headers,
            body: ByteBuffer(bytes: body ?? []), peer: "127.0.0.1")
        let answer = await Answer(controlPlane.responder.respond(to: request))
        try Contract.shared.check(method, target, answer, sourceLocation: sourceLocation)
        return answer
    }

    /// Sends JSON.
    @discardableResult
    func send(
        _ method: String,
        _ target: String,
        headers: HTTPHeaders = HTTPHeaders(),
        as principal: String? = nil,
        json: JSONObject,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> Answer {
        try await send(
            method, target, headers: headers, as: principal, body: JSONValue.object(json).bytes,
            sourceLocation: sourceLocation)
    }

    /// Creates an adapter from an image.
    @discardableResult
    func create(_ name: String, as principal: String? = nil, _ fields: JSONObject = [:]) async throws -> Answer {
        var object: JSONObject = ["name": .string(name), "imageName": "i", "imageVersion": "1"]
        for field in fields.members { object.set(field.name, field.value) }
        let answer = try await send("POST", "/adapters", as: principal, json: object)
        #expect(answer.status == 201, "\(answer.text)")
        return answer
    }

    /// The status of an adapter once it is as `isReached` says.
    func status(of name: String, _ isReached: (JSONValue) -> Bool) async throws -> JSONValue {
        var last: JSONValue = .null
        try await eventually("\(name) gets there") {
            last = try await send("GET", "/adapters/\(name)/status").json
            return isReached(last)
        }
        return last
    }
}

/// An answer, its body read to the end.
struct Answer: Sendable {
    let status: Int
    let headers: HTTPHeaders
    let bytes: [UInt8]

    init(_ response: HTTPResponse) async {
        status = response.status
        headers = response.headers
        switch response.body {
        case .bytes(let buffer): bytes = Array(buffer.readableBytesView)
        case .stream(let stream):
            var collected: [UInt8] = []
            while let piece = await stream.next() { collected += Array(piece.readableBytesView) }
            bytes = collected
        }
    }

    var text: String { String(decoding: bytes, as: UTF8.self) }
    var json: JSONValue { (try? JSONParser.parse(bytes)) ?? .null }
    /// The `code` of a problem.
    var code: String? { json["code"]?.text }
    /// `field: code` of each fault of a problem.
    var faults: [String] {
        (json["errors"]?.elements ?? []).map { "\($0["field"]?.text ?? "?"): \($0["code"]?.text ?? "?")" }
    }
}

extension ControlPlaneConfiguration {
    /// Waits that tests can wait for.
    static var impatient: ControlPlaneConfiguration {
        ControlPlaneConfiguration(
            backoff: Backoff(initial: .milliseconds(5), maximum: .milliseconds(50)), deletionTimeout: .zero)
    }
}

extension JSONValue {
    /// The element at that index, if this is an array that has one.
    subscript(_ index: Int) -> JSONValue? {
        if case .array(let values) = self, values.indices.contains(index) { values[index] } else { nil }
    }
    var elements: [JSONValue]? { if case .array(let values) = self { values } else { nil } }
}

/// Waits until `condition` holds, for 20 seconds at most.
func eventually(_ what: String, _ condition: () async throws -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(20)
    while try await !condition() {
        try #require(ContinuousClock.now < deadline, "\(what)")
        try await Task.sleep(for: .milliseconds(2))
    }
}

/// A folder for one test's database; removed at the end of `body`.
func withTemporaryFolder(_ body: (String) async throws -> Void) async throws {
    let folder = FileManager.default.temporaryDirectory.path + "/control-\(UInt64.random(in: 0...UInt64.max))"
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try await body(folder)
}

/// A running control plane in a folder of its own.
func withGateway(
    driver: MemoryRuntime = MemoryRuntime(),
    configuration: ControlPlaneConfiguration = .impatient,
    _ body: (TestGateway) async throws -> Void
) async throws {
    try await withTemporaryFolder { folder in
        let gateway = try TestGateway(folder: folder, driver: driver, configuration: configuration)
        try await gateway.run { try await body(gateway) }
        await gateway.store.close()
    }
}
