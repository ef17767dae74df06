// SPDX-License-Identifier: MIT

public import HTTP
public import Logging
public import Model
public import RuntimeContract
public import ServiceLifecycle
public import Store

/// The part of the gateway that knows what is wanted and makes it true.
///
/// The store holds what is wanted; the driver does it; the data plane is told who the adapters are and where their
/// instances answer.
public struct ControlPlane: Service {
    /// Answers the requests of the API; from the beginning, also before ``run()`` is called.
    public let responder: ControlPlaneResponder

    private let store: AdapterStore
    private let authority: any AdapterAuthority
    private let driver: any RuntimeDriver
    private let configuration: ControlPlaneConfiguration
    private let projection: Projection
    private let reconciler: Reconciler
    private let drainWatch: DrainWatch
    private let parkingWatch: ParkingWatch
    private let logger: Logger

    /// Puts a control plane together; nothing is read, told or started yet.
    ///
    /// - Parameters:
    ///   - authority: Where adapters are written; the store itself, if it is `nil`.
    ///   - driver: Is run by the caller as a service of its own, for longer than this one.
    ///   - publish: Told of every change of the directory or the endpoints, in order, from any thread; must not block.
    ///   - isIdle: Whether nobody uses this life of an instance; asked of those that drain.
    ///   - traffic: What goes to instances; without it none is parked.
    ///   - sessions: The live sessions of an adapter, as far as the data plane knows.
    ///   - authenticate: Who sends a request.
    public init(
        store: AdapterStore,
        authority: (any AdapterAuthority)? = nil,
        driver: any RuntimeDriver,
        configuration: ControlPlaneConfiguration = ControlPlaneConfiguration(),
        publish: @escaping @Sendable (AdapterDirectory, EndpointTable) -> Void,
        isIdle: @escaping @Sendable (InstanceID, Incarnation) -> Bool = { _, _ in true },
        traffic: (any InstanceTraffic)? = nil,
        sessions: @escaping @Sendable (AdapterName) -> [SessionSummary] = { _ in [] },
        authenticate: @escaping ControlPlaneConfiguration.Authenticator = { _ in .development },
        logger: Logger
    ) {
        let authority = authority ?? StoreAuthority(store: store)
        self.store = store
        self.authority = authority
        self.driver = driver
        self.configuration = configuration
        self.logger = logger
        projection = Projection(publish: publish)
        let gate = StartGate(configuration.budget)
        let reconciler = Reconciler(
            store: store, authority: authority, driver: driver, configuration: configuration, projection: projection,
            gate: gate, logger: logger)
        self.reconciler = reconciler
        drainWatch = DrainWatch(driver: driver, projection: projection, isIdle: isIdle, clock: configuration.clock)
        parkingWatch = ParkingWatch(
            driver: driver, projection: projection, gate: gate, traffic: traffic, clock: configuration.clock,
            logger: logger, start: { reconciler.ask($0) })
        responder = ControlPlaneResponder(
            adapters: AdapterResource(
                store: store, authority: authority, driver: driver, configuration: configuration,
                projection: projection),
            status: StatusResource(driver: driver, projection: projection),
            logs: LogsResource(driver: driver, logger: logger), sessions: SessionsResource(sessions: sessions),
            usage: UsageGauges(driver: driver, projection: projection),
            metadata: ResourceMetadata(resources: configuration.resources),
            projection: projection, metrics: configuration.metrics, authenticate: authenticate, logger: logger)
    }

    /// Publishes what is stored, takes over what runs, and keeps both the same until graceful shutdown or cancellation.
    ///
    /// Once per value. Afterwards the API goes on to answer, and changes are stored for the next start.
    ///
    /// - Throws: ``StoreError`` when what is stored can't be read.
    public func run() async throws {
        let projection = projection
        let reconciler = reconciler
        let configuration = configuration
        let route = { @Sendable (adapter: Adapter) in configuration.route(adapter) }
        let store = store
        let authority = authority
        try await store.observe { stored in
            projection.begin(with: stored.filter { !$0.isDeleted }.map(\.adapter), route)
        } _: { name, stored in
            projection.update(name, stored.flatMap { Self.entry($0, route) })
            reconciler.ask(name.workload)
        }
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                group.addTask {
                    for await snapshot in driver.observe() {
                        reconciler.nudge(projection.update(snapshot))
                        drainWatch.look()
                        parkingWatch.look()
                    }
                }
                group.addTask { await authority.run { projection.progress(of: $0.workload) } }
                group.addTask {
                    // What is stored may be old until then, and must not be made true.
                    await authority.caughtUp { projection.set(.recovering($0)) }
                    // Nothing but closing the store makes this fail, which ends everything else as well.
                    guard let stored = try? await store.all() else { return }
                    await reconciler.run(stored)
                }
                group.addTask { await drainWatch.run() }
                group.addTask { await parkingWatch.run() }
            }
        }
        projection.set(.stopping)
    }

    /// Returns when what runs from before is taken over and published, after `limit`, or when the task is cancelled.
    ///
    /// One caller, once.
    public func recovered(atMost limit: Duration) async {
        guard case .recovering = projection.readiness else { return }
        await projection.recovery.wait(atMost: limit, clock: configuration.clock)
    }

    /// A request waits for an instance of the adapter: one that is parked is woken.
    ///
    /// From any thread; does not block.
    public func want(_ adapter: AdapterName) { parkingWatch.want(adapter.workload) }

    private static func entry(
        _ stored: StoredAdapter,
        _ route: (Adapter) -> AdapterRoute
    ) -> (generation: Int64, route: AdapterRoute)? {
        stored.isDeleted ? nil : (stored.adapter.generation, route(stored.adapter))
    }
}
