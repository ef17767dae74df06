// SPDX-License-Identifier: MIT

public import RuntimeContract
import ServiceLifecycle
import Synchronization

/// A driver and the watch over servers that somebody else runs, as one driver: the source of a spec says which of both
/// has it.
public final class RuntimeWithRemotes: RuntimeDriver {
    private let platform: any RuntimeDriver
    private let remote: RemoteRuntime
    private let publisher = RuntimeStatePublisher()
    private let parts = Mutex(Parts())

    private struct Parts {
        var platform = RuntimeSnapshot()
        var remote = RuntimeSnapshot()
    }

    /// Puts `remote` beside `platform`.
    public init(_ platform: any RuntimeDriver, _ remote: RemoteRuntime = RemoteRuntime()) {
        self.platform = platform
        self.remote = remote
    }

    /// What the platform can do, and servers of others.
    public var capabilities: RuntimeCapabilities {
        var capabilities = platform.capabilities
        capabilities.sources.insert(.remote)
        return capabilities
    }

    /// Runs both; returns when both have returned.
    ///
    /// - Throws: what the platform's driver throws.
    public func run() async throws {
        defer { publisher.finish() }
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await self.platform.run() }
            tasks.addTask { await self.remote.run() }
            // Both end with the driver that they read.
            tasks.addTask { for await state in self.platform.observe() { self.publish(platform: state) } }
            tasks.addTask { for await state in self.remote.observe() { self.publish(remote: state) } }
            try await tasks.waitForAll()
        }
    }

    /// Checks `spec` with the driver that would have it.
    public func validate(_ spec: WorkloadSpec) throws(RuntimeError) { try driver(of: spec).validate(spec) }

    /// Lets the platform take over what runs from before.
    public func recover(_ desired: [WorkloadSpec]) async throws(RuntimeError) -> RecoveryReport {
        var report = try await platform.recover(desired.filter { !Self.isRemote($0) })
        report.missing.formUnion(try await remote.recover(desired.filter(Self.isRemote)).missing)
        return report
    }

    /// Makes `spec` the desired state of its workload; a workload that was the other driver's is taken from it first.
    public func apply(_ spec: WorkloadSpec) async throws(RuntimeError) -> ApplyOutcome {
        if Self.isRemote(spec) {
            if try await isPlatforms(spec.id) { try await platform.remove(spec.id, gracePeriod: spec.gracePeriod) }
            return try await remote.apply(spec)
        }
        if remote.holds(spec.id) { try await remote.remove(spec.id, gracePeriod: .zero) }
        return try await platform.apply(spec)
    }

    /// Ends a workload, whoever has it.
    public func remove(_ id: WorkloadID, gracePeriod: Duration) async throws(RuntimeError) {
        if remote.holds(id) { try await remote.remove(id, gracePeriod: gracePeriod) }
        try await platform.remove(id, gracePeriod: gracePeriod)
    }

    /// Parks an instance of the platform; servers of others can't be parked.
    public func park(_ instance: InstanceID, incarnation: Incarnation) async throws(RuntimeError) {
        if remote.holds(instance.workload) { return try await remote.park(instance, incarnation: incarnation) }
        try await platform.park(instance, incarnation: incarnation)
    }

    /// Wakes an instance of the platform.
    public func wake(_ instance: InstanceID) async throws(RuntimeError) {
        if remote.holds(instance.workload) { return try await remote.wake(instance) }
        try await platform.wake(instance)
    }

    /// Passes the word on to whoever has the workload.
    public func release(_ instance: InstanceID, incarnation: Incarnation) async {
        if remote.holds(instance.workload) { return await remote.release(instance, incarnation: incarnation) }
        await platform.release(instance, incarnation: incarnation)
    }

    /// What is known of the workload now.
    public func status(of id: WorkloadID) async throws(RuntimeError) -> WorkloadStatus {
        if remote.holds(id) { return try await remote.status(of: id) }
        return try await platform.status(of: id)
    }

    /// The state of all workloads, and each newer one.
    public func observe() -> RuntimeEvents { publisher.events() }

    /// The log of an instance of the platform.
    public func logs(of instance: InstanceID, options: LogOptions) async throws(RuntimeError) -> LogStream {
        if remote.holds(instance.workload) { return try await remote.logs(of: instance, options: options) }
        return try await platform.logs(of: instance, options: options)
    }

    private static func isRemote(_ spec: WorkloadSpec) -> Bool {
        if case .remote = spec.source { true } else { false }
    }

    private func driver(of spec: WorkloadSpec) -> any RuntimeDriver { Self.isRemote(spec) ? remote : platform }

    private func isPlatforms(_ id: WorkloadID) async throws(RuntimeError) -> Bool {
        do {
            _ = try await platform.status(of: id)
            return true
        } catch  where error.code == .notFound {
            return false
        }
    }

    /// Takes up the newest state of each: what both have is on its way to the others.
    private func publish(platform: RuntimeSnapshot? = nil, remote: RuntimeSnapshot? = nil) {
        parts.withLock { parts in
            if let platform { parts.platform = platform }
            if let remote { parts.remote = remote }
            // Under the lock, so that of two changes the later one is the last.
            let merged =
                parts.remote.workloads.isEmpty
                ? parts.platform.workloads : parts.platform.workloads.merging(parts.remote.workloads) { $1 }
            publisher.update { $0 = RuntimeSnapshot(isReachable: parts.platform.isReachable, workloads: merged) }
        }
    }
}
