// SPDX-License-Identifier: MIT

import HTTP
import Identity
import Logging
import MCPProtocol
import Model
import NIOCore
import RuntimeContract
import Wire

/// What the requests of one loop share, and the one who decides where each goes.
///
/// Confined to its loop.
final class ProxyLoop: RequestRouter {
    /// The client side.
    let loop: HTTPServerLoop
    let configuration: DataPlaneConfiguration
    let seal: SessionSeal
    let registry: SessionRegistry
    /// The streams that stand open, whatever their loop.
    let standing: StandingStreams
    /// What is counted for requests to adapters that don't exist.
    let meters: AdapterMeters
    let logger: Logger
    /// The snapshot that routing reads.
    private(set) var table = RoutingTable.empty
    /// Reads the heads of answers.
    var scanner = HeadScanner()
    var sessions: BoundSessionCache
    var random = SystemRandomNumberGenerator()

    /// Stands in for what is kept of a request where nothing is; nothing is ever put into it.
    let keptNothing = KeptRequest()
    private var freeKept: [KeptRequest] = []

    let authenticator: any Authenticator
    /// Who is let in.
    var admission: Admission
    private let control: TaskResponder
    private var pools: [ObjectIdentifier: UpstreamPool] = [:]
    private var lastAllowedHost: [UInt8] = []
    /// Sessions of adapters with recovery that are being begun anew here.
    var handshakes: [RecoveryHandshake] = []
    /// How many requests wait for one of those, or for an instance of their session.
    var recoveringCount = 0
    /// Requests that no instance is ready for, in the order of their arrival.
    private var waiting: [ProxyExchange] = []
    private let wallClockOffset: Int64
    /// Told of each adapter that a request waits for, which may have to be woken.
    let onWanted: @Sendable (AdapterName) -> Void

    init(
        loop: HTTPServerLoop, configuration: DataPlaneConfiguration, seal: SessionSeal, registry: SessionRegistry,
        standing: StandingStreams, meters: AdapterMeters, logger: Logger,
        authenticator: any Authenticator, control: any Responder, wallClockOffset: Int64,
        onWanted: @escaping @Sendable (AdapterName) -> Void
    ) {
        self.loop = loop
        self.configuration = configuration
        self.seal = seal
        self.registry = registry
        self.standing = standing
        self.meters = meters
        self.logger = logger
        self.authenticator = authenticator
        admission = Admission(authenticator, configuration.resources)
        self.control = TaskResponder(CrossOrigin(control))
        self.wallClockOffset = wallClockOffset
        self.onWanted = onWanted
        sessions = BoundSessionCache(capacity: configuration.sessionCacheCapacity)
    }

    var eventLoop: any EventLoop { loop.eventLoop }
    /// Answers may have larger heads than requests: nobody sends them to attack us, but they carry more.
    let upstreamHeadLimits = HeadLimits(bytes: 64 << 10, fields: 200)

    /// Now, to within a sweep: good enough for when a session was last used.
    var now: Timestamp {
        Timestamp(
            millisecondsSinceEpoch: wallClockOffset + Int64(loop.sweep.now.uptimeNanoseconds / 1_000_000))
    }

    /// Now in nanoseconds, to within a sweep, for what is measured against itself only.
    var uptime: UInt64 { loop.sweep.now.uptimeNanoseconds }

    /// Takes the next snapshot, lets go of connections to instances that are no more, and sends what has waited.
    func publish(_ table: RoutingTable) {
        self.table = table
        // Those that have no connections are not looked for, however many there are.
        var gone = Set(pools.keys)
        for adapter in table.adapters.values where !gone.isEmpty {
            for instance in adapter.instances { gone.remove(ObjectIdentifier(instance.load)) }
        }
        for key in gone { pools.removeValue(forKey: key)?.close() }
        for handshake in handshakes { handshake.tableChanged() }
        if waiting.isEmpty { return }
        // Whoever finds no instance yet waits again, in the same order.
        let before = waiting
        waiting = []
        for exchange in before { exchange.placeAgain() }
    }

    /// Lets `exchange` wait for the next snapshot.
    ///
    /// - Returns: `false` when too many wait already.
    func beginWaiting(_ exchange: ProxyExchange) -> Bool {
        guard waiting.count < configuration.maximumWaitingRequests else { return false }
        waiting.append(exchange)
        return true
    }

    /// How many requests wait for an instance.
    var waitingCount: Int { waiting.count }

    /// Forgets that `exchange` waits.
    ///
    /// Idempotent.
    func stopWaiting(_ exchange: ProxyExchange) {
        waiting.removeAll { $0 === exchange }
    }

    /// Forgets opened session ids that nobody has used for a while.
    ///
    /// - Returns: how many sessions, connections and requests the loop holds, and the most that it held since the last time.
    func forgetUnused() -> (held: Int, highest: Int) {
        let before = sessions.count
        sessions.age()
        admission.age()
        return (sessions.count + loop.sweep.count, before + loop.sweep.takeHighestCount())
    }

    /// Closes the unused connections to all instances.
    func closeUpstreams() {
        for pool in pools.values { pool.close() }
        pools = [:]
    }

    /// The connections to `instance`.
    func pool(_ instance: InstanceTarget) -> UpstreamPool {
        // A load stands for one life of one instance, and lives as long as the pool that is found by it.
        let key = ObjectIdentifier(instance.load)
        if let pool = pools[key] {
            if pool.endpoint == instance.endpoint.endpoint { return pool }
            pool.close()
        }
        let pool = UpstreamPool(instance, proxy: self)
        pools[key] = pool
        return pool
    }

    // MARK: - What is kept of requests

    /// An object for a request.
    func takeKept() -> KeptRequest { freeKept.popLast() ?? KeptRequest() }

    /// Keeps the object for another request, if there are few such.
    func giveBack(_ kept: KeptRequest) {
        if freeKept.count < 64 { freeKept.append(kept) }
    }

    // MARK: - Routing

    func route(_ request: RequestView, on connection: ClientLeg) -> any RequestSink {
        let target = request.slice(request.head.target)
        let exchange: ProxyExchange
        if let kept = connection.attachment as? ProxyExchange {
            exchange = kept
        } else {
            exchange = ProxyExchange(proxy: self, client: connection)
            connection.attachment = exchange
        }
        let origin = request.value(of: .origin)
        exchange.reset(request, origin: origin)
        if let fault = originFault(request, origin) {
            exchange.reject(fault)
            return exchange
        }
        if request.head.method == .options, origin != nil, request.value(of: .accessControlRequestMethod) != nil {
            exchange.answerPreflight(request)
            return exchange
        }
        guard let path = AdapterPath(target) else {
            return CollectedRequest(
                request, on: connection, maximumBodyBytes: configuration.maximumControlBodyBytes, responder: control)
        }
        let sender = sender(of: request, path)
        if case .failure(.undecided) = sender, let undecided = wait(request, path, exchange) { return undecided }
        exchange.begin(request, path, sender: sender.settled)
        return exchange
    }

    /// Reads a request's head again that was kept.
    func view(of bytes: UnsafeRawBufferPointer) -> RequestView? {
        guard let head = try? scanner.request(bytes, limits: loop.configuration.headLimits) else { return nil }
        return RequestView(head: head, bytes: bytes, scanner: scanner)
    }

    private func originFault(_ request: RequestView, _ origin: UnsafeRawBufferPointer?) -> GatewayFault? {
        if let host = request.value(of: .host), !ByteComparison.isEqual(host, lastAllowedHost) {
            guard configuration.origins.allows(host: String(decoding: host, as: UTF8.self)) else { return .misdirected }
            lastAllowedHost = Array(host)
        }
        if let origin, !configuration.origins.allows(origin: String(decoding: origin, as: UTF8.self)) {
            return .forbiddenOrigin
        }
        return nil
    }

    // MARK: - Sessions

    /// The session whose id is `text`, if it was sealed for this adapter and this principal.
    func session(_ text: UnsafeRawBufferPointer, adapter: String, principal: String) -> BoundSession? {
        if let session = sessions.find(text, adapter: adapter, principal: principal) { return session }
        guard let opened = seal.open(text, adapter: adapter, principal: principal) else { return nil }
        let session = BoundSession(text: Array(text), adapter: adapter, principal: principal, opened: opened)
        sessions.insert(session)
        return session
    }

    /// The id for a session that an instance has just begun, or `nil` where the instance's own id can't be one.
    func openSession(
        _ kind: SessionBinding.Kind, upstream: [UInt8], instance: InstanceTarget, adapter: AdapterTarget,
        principal: String
    ) -> BoundSession? {
        guard
            let binding = SessionBinding(
                kind: kind, ordinal: instance.ordinal, incarnation: instance.digest, upstream: upstream),
            let text = seal.seal(binding, adapter: adapter.name, principal: principal),
            let fingerprint = SessionSeal.fingerprint(of: text)
        else { return nil }
        let session = BoundSession(
            text: text, adapter: adapter.name, principal: principal,
            opened: OpenedSession(binding: binding, fingerprint: fingerprint))
        sessions.insert(session)
        registry.begin(fingerprint)
        register(session, adapter, instance)
        return session
    }

    /// Looks for the session in the registry, or puts it there: it may have begun before this gateway, or elsewhere.
    @discardableResult
    func register(_ session: BoundSession, _ adapter: AdapterTarget, _ instance: InstanceTarget)
        -> SessionRegistryEntry?
    {
        if let entry = session.entry, !entry.isEnded { return entry }
        let entry = SessionRegistryEntry(
            fingerprint: session.fingerprint, adapter: adapter.route.name, kind: session.binding.kind,
            instance: instance.endpoint.id, incarnation: instance.endpoint.incarnation, principal: session.principal,
            load: instance.load, now: now)
        session.entry = registry.open(entry)
        return session.entry
    }

    /// The session was ended by its client or its instance.
    func endSession(_ session: BoundSession) {
        _ = registry.end(session.fingerprint)
        session.entry = nil
    }

    /// The session's client deleted it, or the stream that it is has ended: nothing can be sent to it any more, on any
    /// loop.
    func endForGood(_ session: BoundSession) {
        forgetMemory(of: session)
        registry.endForGood(session.fingerprint)
        session.entry = nil
        sessions.remove(session)
    }

    /// Whether the session has ended for good here; takes a lock only on a loop's first look at the session.
    func hasEnded(_ session: BoundSession) -> Bool {
        if let entry = session.entry, !entry.isEnded { return false }
        return registry.hasEnded(session.fingerprint)
    }
}
