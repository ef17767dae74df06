// SPDX-License-Identifier: MIT

public import HTTP
public import Identity
public import Model
public import RuntimeContract

/// How the control plane works.
public struct ControlPlaneConfiguration: Sendable {
    /// How large an adapter may be.
    public var limits: AdapterLimits
    /// What all servers may use together; only with a runtime that can park (``RuntimeCapabilities/parking``).
    public var budget: Budget
    /// After how long without any request the instances of adapters are parked that don't say themselves; `nil` for never.
    public var parkAfter: Duration?
    /// The largest body of a request.
    public var maximumBodyBytes: Int
    /// How many workloads are brought up to date at once.
    public var concurrentReconciles: Int
    /// How failed attempts are repeated.
    public var backoff: Backoff
    /// How long the driver may take to take up a workload; for removing one, the grace period comes on top.
    public var runtimeTimeout: Duration
    /// How long creating an adapter waits for one of the same name to be deleted completely.
    public var deletionTimeout: Duration
    /// Whether what runs and is not stored here is ended.
    ///
    /// Not where others may have made it: gateways that share a cluster.
    public var removesOrphans: Bool
    /// Whether changes are refused while the runtime can't be reached, instead of being stored and made later.
    public var writesNeedRuntime: Bool
    /// What is known of an image by name and version, where an adapter does not say otherwise; no I/O.
    public var imageDefaults: @Sendable (_ name: String, _ version: String) -> ImageDefaults?
    /// What tokens are needed for, if they are.
    public var resources: ProtectedResources?
    /// Roles of which one is needed to create and to change adapters, which is to run programs.
    ///
    /// Administrators need none; `nil` lets everybody.
    public var deployRoles: Set<String>?
    /// The metrics of the process, in the text format of Prometheus.
    public var metrics: @Sendable () -> String
    /// What time it is: for `createdAt` and the like.
    public var now: @Sendable () -> Timestamp
    /// What waiting is measured with.
    public var clock: any Clock<Duration>

    /// What suits most gateways.
    public init(
        limits: AdapterLimits = AdapterLimits(),
        budget: Budget = Budget(),
        parkAfter: Duration? = nil,
        maximumBodyBytes: Int = 1 << 20,
        concurrentReconciles: Int = 8,
        backoff: Backoff = Backoff(),
        runtimeTimeout: Duration = .seconds(60),
        deletionTimeout: Duration = .seconds(10),
        removesOrphans: Bool = true,
        writesNeedRuntime: Bool = false,
        imageDefaults: @escaping @Sendable (_ name: String, _ version: String) -> ImageDefaults? = { _, _ in nil },
        resources: ProtectedResources? = nil,
        deployRoles: Set<String>? = nil,
        metrics: @escaping @Sendable () -> String = { "" },
        now: @escaping @Sendable () -> Timestamp = { .now },
        clock: any Clock<Duration> = ContinuousClock()
    ) {
        self.limits = limits
        self.budget = budget
        self.parkAfter = parkAfter
        self.maximumBodyBytes = maximumBodyBytes
        self.concurrentReconciles = concurrentReconciles
        self.backoff = backoff
        self.runtimeTimeout = runtimeTimeout
        self.deletionTimeout = deletionTimeout
        self.removesOrphans = removesOrphans
        self.writesNeedRuntime = writesNeedRuntime
        self.imageDefaults = imageDefaults
        self.resources = resources
        self.deployRoles = deployRoles
        self.metrics = metrics
        self.now = now
        self.clock = clock
    }

    /// Says who is asking, or why nobody is let in.
    public typealias Authenticator = @Sendable (HTTPRequest) async throws(AuthenticationError) -> Principal

    func defaults(for adapter: Adapter) -> ImageDefaults {
        adapter.image.flatMap { imageDefaults($0.name, $0.version) } ?? ImageDefaults()
    }

    /// What routing needs to know of `adapter`.
    func route(_ adapter: Adapter) -> AdapterRoute {
        var route = adapter.route(defaults(for: adapter))
        // Servers of others have addresses of their own, and are not ours to stop.
        if route.authorities.isEmpty { route.parkAfter = route.parkAfter ?? parkAfter }
        return route
    }
}
