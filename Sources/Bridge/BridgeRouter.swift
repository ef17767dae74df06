// SPDX-License-Identifier: MIT

import HTTP
import Logging
import MCPProtocol
import NIOCore

/// Gives every HTTP request to the session or the shared child that it is for.
///
/// Lives on the bridge's event loop, and so does everything that it owns.
final class BridgeRouter {
    private let configuration: BridgeConfiguration
    private let launcher: ChildLauncher
    private let origins: OriginPolicy?
    private let log: Logger
    private var sessions: [String: LegacySession] = [:]
    /// Sessions whose `initialize` was not answered yet count too: they have a child.
    private var openings: [ObjectIdentifier: LegacySession] = [:]
    private var shared: [String: SharedChild] = [:]
    private var era: EraProbe
    private var isStopping = false

    /// A router without sessions.
    init(_ configuration: BridgeConfiguration, launcher: ChildLauncher, origins: OriginPolicy?, log: Logger) {
        self.configuration = configuration
        self.launcher = launcher
        self.origins = origins
        self.log = log
        era = EraProbe(configuration, launcher: launcher, log: log)
    }

    /// Answers `request` on `exchange`, now or later.
    func handle(_ request: HTTPRequest, on exchange: HTTPExchange) {
        if let origins,
            let refusal = origins.refusal(
                origins: request.headers.values(of: "Origin"), hosts: request.headers.values(of: "Host"))
        {
            return exchange.refuse(refusal == .origin ? .forbiddenOrigin : .misdirected)
        }
        switch request.path {
        case "/mcp": break
        case "/healthz": return health(request, exchange)
        default: return exchange.refuse(.routeNotFound)
        }
        guard !isStopping else { return exchange.refuse(.draining(retryAfterSeconds: 1)) }
        switch request.method {
        case "POST": post(request, exchange)
        case "GET": get(request, exchange)
        case "DELETE": delete(request, exchange)
        default: exchange.refuse(.methodNotAllowed(allow: "GET, POST, DELETE"))
        }
    }

    /// Does what time asks for; called every second or so.
    func tick(_ now: NIODeadline) {
        for session in Array(sessions.values) + Array(openings.values) { session.tick(now) }
        for child in Array(shared.values) { child.tick(now) }
        era.tick(now)
    }

    /// Ends everything: requests in flight get an error, all children are stopped.
    ///
    /// No new ones are taken.
    func stop() {
        isStopping = true
        for session in Array(sessions.values) + Array(openings.values) { session.end("the bridge is stopping") }
        for child in Array(shared.values) { child.end("the bridge is stopping") }
        era.stop()
    }

    private func health(_ request: HTTPRequest, _ exchange: HTTPExchange) {
        guard request.method == "GET" || request.method == "HEAD" else {
            return exchange.refuse(.methodNotAllowed(allow: "GET, HEAD"))
        }
        exchange.respond(status: 200, json: ByteBuffer(string: #"{"status":"ok"}"#))
    }

    // MARK: Methods

    private func post(_ request: HTTPRequest, _ exchange: HTTPExchange) {
        guard AcceptHeader.isJSON(request.headers["Content-Type"]) else {
            return exchange.refuse(.unsupportedMediaType)
        }
        let message: Message
        do {
            message = try Message(request.body)
        } catch {
            return exchange.refuse(.notJSON(error))
        }
        let accept = AcceptHeader(request.headers.values(of: "Accept"))
        let verdict = request.headers.withRoutingHeaders { headers in
            RequestClassifier(headers, policy: RoutePolicy(isModernOnly: configuration.era == .modern))
                .classify(message.envelope)
        }
        if case .reject(let fault) = verdict { return exchange.refuse(fault, answering: [message]) }
        guard accept.json || accept.eventStream else { return exchange.refuse(.notAcceptable, answering: [message]) }
        switch verdict {
        case .legacyInitialize: initialize(message, request, exchange, accept)
        case .legacySession: sessionPost(message, request, exchange, accept)
        case .legacyStateless: exchange.refuse(.sessionRequired, answering: [message])
        case .modern: modern(message, request, exchange, accept)
        case .reject: break
        }
    }

    private func get(_ request: HTTPRequest, _ exchange: HTTPExchange) {
        guard let session = session(of: request, exchange, method: .get) else { return }
        guard AcceptHeader(request.headers.values(of: "Accept")).eventStream else {
            return exchange.refuse(.notAcceptable)
        }
        session.get(after: request.headers["Last-Event-ID"], exchange: exchange)
    }

    private func delete(_ request: HTTPRequest, _ exchange: HTTPExchange) {
        guard let session = session(of: request, exchange, method: .delete) else { return }
        session.end("the client ended the session")
        exchange.respond(status: 200)
    }

    // MARK: Legacy

    private func session(
        of request: HTTPRequest, _ exchange: HTTPExchange, method: RequestClassifier.BodilessMethod
    ) -> LegacySession? {
        let verdict = request.headers.withRoutingHeaders { headers in
            RequestClassifier(headers, policy: RoutePolicy(isModernOnly: configuration.era == .modern))
                .classify(method)
        }
        if case .reject(let fault) = verdict {
            exchange.refuse(fault)
            return nil
        }
        return session(of: request, exchange, answering: [])
    }

    /// The session that `request` names; answers the request when there is none, or when it is somebody else's.
    private func session(of request: HTTPRequest, _ exchange: HTTPExchange, answering: [Message]) -> LegacySession? {
        guard let id = request.headers["Mcp-Session-Id"] else {
            exchange.refuse(.sessionRequired, answering: answering)
            return nil
        }
        guard let session = sessions[id], session.principal == request.headers[Self.principalHeader], session.isServing
        else {
            exchange.refuse(.sessionNotFound, answering: answering)
            return nil
        }
        if let version = request.headers["MCP-Protocol-Version"], version != session.version,
            Array(version.utf8).withUnsafeBytes({ ProtocolRevision(bytes: $0) }) == nil
        {
            exchange.refuse(
                .invalidRequest("MCP-Protocol-Version is no revision of this session"), answering: answering)
            return nil
        }
        return session
    }

    private func initialize(
        _ message: Message, _ request: HTTPRequest, _ exchange: HTTPExchange, _ accept: AcceptHeader
    ) {
        guard sessions.count + openings.count < configuration.maximumSessions else {
            log.warning("There are too many sessions", metadata: ["limit": "\(configuration.maximumSessions)"])
            return exchange.respond(
                status: 503, error: ErrorBody.json(id: message.id, code: -32603, message: "too many open sessions"),
                retryAfterSeconds: 5)
        }
        guard let child = launch(message, exchange) else { return }
        let session = LegacySession(
            child: child, principal: request.headers[Self.principalHeader], configuration: configuration, log: log,
            onOpen: { [weak self] session in
                self?.openings[ObjectIdentifier(session)] = nil
                self?.sessions[session.id.text] = session
            },
            onEnd: { [weak self] session in
                self?.openings[ObjectIdentifier(session)] = nil
                self?.sessions[session.id.text] = nil
            })
        openings[ObjectIdentifier(session)] = session
        session.initialize(message, exchange: exchange, accept: accept)
    }

    private func sessionPost(
        _ message: Message, _ request: HTTPRequest, _ exchange: HTTPExchange, _ accept: AcceptHeader
    ) {
        guard let session = session(of: request, exchange, answering: [message]) else { return }
        let isBatch = message.envelope.batch != nil
        guard !isBatch || session.takesBatches else {
            return exchange.refuse(.invalidRequest("batches are not part of the session's revision"))
        }
        do {
            let messages = try message.elements()
            guard !messages.contains(where: { $0.envelope.method.equals("initialize") }) else {
                return exchange.refuse(.invalidRequest("the session is initialized already"), answering: [message])
            }
            session.post(messages, isBatch: isBatch, exchange: exchange, accept: accept)
        } catch {
            exchange.refuse(.notJSON(error))
        }
    }

    // MARK: Modern

    private func modern(
        _ message: Message, _ request: HTTPRequest, _ exchange: HTTPExchange, _ accept: AcceptHeader
    ) {
        let principal = request.headers[Self.principalHeader] ?? ""
        guard message.envelope.shape == .request else {
            // The revision has no notifications from clients over HTTP. A cancellation could only name an id of one
            // client among several, so it is not passed on: closing the stream is what cancels.
            if !message.envelope.method.equals("notifications/cancelled") { shared[principal]?.notify(message) }
            return exchange.respond(status: 202)
        }
        era.ask(exchange) { [weak self] verdict in
            guard let self else { return }
            switch verdict {
            case .failure(let reason):
                exchange.respond(
                    status: 503, error: ErrorBody.json(id: message.id, code: -32603, message: reason),
                    retryAfterSeconds: 1)
            case .success(.legacy):
                let requested = message.envelope.metaVersion.string ?? ""
                exchange.refuse(
                    .unsupportedVersion(requested: requested, supported: Self.legacyRevisions), id: message.id)
            case .success(.modern):
                guard let child = sharedChild(of: principal, for: message, exchange) else { return }
                child.request(message, exchange: exchange, accept: accept)
            }
        }
    }

    private func sharedChild(of principal: String, for message: Message, _ exchange: HTTPExchange) -> SharedChild? {
        if let child = shared[principal] { return child }
        if shared.count >= configuration.maximumSharedChildren {
            guard let idle = shared.values.filter({ !$0.isInUse }).min(by: { $0.lastUse < $1.lastUse }) else {
                exchange.refuse(.unavailable(retryAfterSeconds: 5), id: message.id)
                return nil
            }
            idle.end("another principal needs a server")
        }
        guard let process = launch(message, exchange) else { return nil }
        let child = SharedChild(child: process, configuration: configuration, log: log) { [weak self] ended in
            if self?.shared[principal] === ended { self?.shared[principal] = nil }
        }
        shared[principal] = child
        return child
    }

    private func launch(_ message: Message, _ exchange: HTTPExchange) -> ServerProcess? {
        do {
            return try launcher.launch()
        } catch {
            log.error("The server could not be started", metadata: ["reason": "\(error.message)"])
            exchange.respond(
                status: 502,
                error: ErrorBody.json(
                    id: message.id, code: -32603, message: "the server could not be started: \(error.message)"))
            return nil
        }
    }

    /// Set by the gateway in front of the bridge, which lets no client set it.
    private static let principalHeader = "MCP-Gateway-Principal"
    private static let legacyRevisions = ProtocolRevision.allCases.filter { $0.era == .legacy }.reversed().map(
        \.rawValue)
}
