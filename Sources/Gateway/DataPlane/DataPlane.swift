// SPDX-License-Identifier: MIT

public import HTTP
public import Identity
public import Logging
public import MCPProtocol
public import Model
public import NIOCore
public import RuntimeContract
public import ServiceLifecycle
import Synchronization

#if canImport(Glibc)
import Glibc
#endif

/// Takes every request: proxies those on MCP routes to the instances of their adapter, and hands the others to the
/// control plane.
public final class DataPlane: Service {
    private struct State {
        var table = RoutingTable.empty
        var loops: [NIOLoopBound<ProxyLoop>] = []
    }

    /// What was published last.
    private struct Published {
        var directory = AdapterDirectory()
        var endpoints = EndpointTable()
        var table = RoutingTable.empty
    }

    private let configuration: DataPlaneConfiguration
    private let seal: SessionSeal
    private let authenticator: any Authenticator
    private let control: any Responder
    private let group: any EventLoopGroup
    private let logger: Logger
    private let onListening: @Sendable ([SocketAddress]) async -> Void
    private let onWanted: @Sendable (AdapterName) -> Void
    /// The live sessions.
    let registry = SessionRegistry()
    /// The streams that stand open.
    let standing: StandingStreams
    /// How busy the instances are.
    let loads = PlacementLoads()
    private let meters = AdapterMetersTable()
    private let state = Mutex(State())
    private let published = Mutex(Published())
    private let wallClockOffset: Int64

    /// Prepares the data plane; nothing is opened before ``run()``.
    ///
    /// - Parameters:
    ///   - keyRing: The keys that session ids are sealed with.
    ///   - control: Answers what is not proxied.
    ///   - group: The loops that carry all traffic.
    ///   - onListening: Called once with the bound addresses.
    ///   - onWanted: Called each time a request begins to wait for an instance of an adapter, from any thread; must not block.
    public init(
        configuration: DataPlaneConfiguration,
        keyRing: SessionKeyRing,
        authenticator: any Authenticator,
        control: any Responder,
        group: any EventLoopGroup,
        logger: Logger,
        onListening: @escaping @Sendable ([SocketAddress]) async -> Void = { _ in },
        onWanted: @escaping @Sendable (AdapterName) -> Void = { _ in }
    ) {
        self.configuration = configuration
        standing = StandingStreams(maximum: configuration.maximumStreamsPerPrincipal)
        seal = SessionSeal(keyRing)
        self.authenticator = authenticator
        self.control = control
        self.group = group
        self.logger = logger
        self.onListening = onListening
        self.onWanted = onWanted
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        wallClockOffset =
            Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
            - Int64(NIODeadline.now().uptimeNanoseconds / 1_000_000)
    }

    /// Who the adapters are and where their instances answer, from now on.
    ///
    /// Requests under way are not touched.
    ///
    /// Takes effect on every loop within one turn of it; of two calls the later one wins everywhere.
    public func publish(_ directory: AdapterDirectory, _ endpoints: EndpointTable) {
        published.withLock { published in publish(directory, endpoints, after: &published) }
    }

    private func publish(_ directory: AdapterDirectory, _ endpoints: EndpointTable, after last: inout Published) {
        let table = RoutingTable(directory, endpoints, after: last.table, loads: loads, meters: meters)
        // Compared in no time where it is the very same.
        let hasNewDirectory = directory != last.directory
        // Mostly an instance only gains or loses readiness.
        if endpoints.hasLostLives(since: last.endpoints) {
            loads.forget(allBut: endpoints)
            _ = registry.end(allBut: endpoints)
        }
        last = Published(directory: directory, endpoints: endpoints, table: table)
        if hasNewDirectory {
            registry.memories.forget(allBut: Set(directory.routes.values.filter { $0.recovery != .none }.map(\.name)))
        }
        // Handed over under the lock, so that two publications reach every loop in the same order; handing over only
        // puts a closure into a queue.
        state.withLock { state in
            state.table = table
            for loop in state.loops { loop.eventLoop.execute { loop.value.publish(table) } }
        }
        if hasNewDirectory { meters.forget(allBut: table.adapters.keys) }
    }

    /// Whether no session is bound to this life of an instance and no request is on its way to it, as far as this gateway
    /// knows; open streams are requests.
    ///
    /// Says no where sessions could not be taken in for want of room, since they are not known then.
    public func isIdle(_ instance: InstanceID, _ incarnation: Incarnation) -> Bool {
        guard registry.overflowCount == 0 else { return false }
        guard let load = loads.load(of: instance, incarnation) else { return true }
        return load.sessions == 0 && load.requests == 0
    }

    /// Sets the gauges, which are looked at and not counted; for whoever is about to read the metrics.
    public func showGauges() {
        for adapter in state.withLock(\.table).adapters.values {
            adapter.meters.show(
                requests: adapter.candidates.reduce(0) { $0 + $1.load.requests },
                sessions: adapter.candidates.reduce(0) { $0 + $1.load.sessions })
        }
    }

    /// Serves until graceful shutdown or cancellation (see ``HTTPServer/run()``).
    ///
    /// - Throws: ``ListenError``.
    public func run() async throws {
        let server = HTTPServer(
            group: group, addresses: configuration.addresses, configuration: configuration.http, logger: logger,
            makeRouter: { loop in self.makeLoop(loop) }, onListening: onListening)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await server.run() }
            tasks.addTask { await self.expireSessions() }
            defer { tasks.cancelAll() }
            try await tasks.next()
        }
        for loop in state.withLock(\.loops) { loop.eventLoop.execute { loop.value.closeUpstreams() } }
    }

    /// Has every request that waits for an instance look for one.
    func placeWaitingAgain() {
        state.withLock { state in
            for loop in state.loops { loop.eventLoop.execute { loop.value.publish(loop.value.table) } }
        }
    }

    /// How many requests wait for an instance that is being started.
    func waitingRequests() async throws -> Int {
        var count = 0
        for loop in state.withLock(\.loops) {
            count += try await loop.eventLoop.submit { loop.value.waitingCount }.get()
        }
        return count
    }

    /// How many requests wait for their lost session to be begun anew.
    func recoveringRequests() async throws -> Int {
        var count = 0
        for loop in state.withLock(\.loops) {
            count += try await loop.eventLoop.submit { loop.value.recoveringCount }.get()
        }
        return count
    }

    private func makeLoop(_ loop: HTTPServerLoop) -> ProxyLoop {
        let proxy = ProxyLoop(
            loop: loop, configuration: configuration, seal: seal, registry: registry, standing: standing,
            meters: meters[""],
            logger: logger, authenticator: authenticator,
            control: control, wallClockOffset: wallClockOffset, onWanted: onWanted)
        let bound = NIOLoopBound(proxy, eventLoop: loop.eventLoop)
        let table = state.withLock { state in
            state.loops.append(bound)
            return state.table
        }
        proxy.publish(table)
        return proxy
    }

    /// Lets go of sessions that nobody has used for as long as their adapter says, and of opened ids that nobody uses now.
    private func expireSessions() async {
        var freed = FreedMemory()
        while (try? await Task.sleep(for: .seconds(15))) != nil {
            let routes = state.withLock(\.table).adapters
            let now = Timestamp(
                millisecondsSinceEpoch: wallClockOffset + Int64(NIODeadline.now().uptimeNanoseconds / 1_000_000))
            let timeout = { (name: AdapterName) in
                routes[name.rawValue]?.route.sessionIdleTimeout ?? .seconds(1800)
            }
            _ = registry.expire(at: now, timeout: timeout)
            registry.memories.expire(at: now.millisecondsSinceEpoch) { name in
                timeout(name).components.seconds * 1000
            }
            var (held, highest) = (registry.count, registry.count)
            for loop in state.withLock(\.loops) {
                let here =
                    (try? await loop.eventLoop.submit { loop.value.forgetUnused() }.get()) ?? (held: 0, highest: 0)
                held += here.held
                highest += here.highest
            }
            if freed.isWorthGivingBack(held: held, highest: highest) { FreedMemory.giveBack() }
        }
    }
}
