// SPDX-License-Identifier: MIT

import CSpawn
import Glibc
import Spawn
import Synchronization

/// A service manager, on a thread of its own that keeps the connection and everything that belongs to it.
///
/// One per scope and process. Calls are done one after the other and fail after ten seconds at the longest. When the
/// connection or the manager is lost, it is looked for again every half second while units are watched, and whoever
/// watches one is told its state afterwards.
public final class SystemdManager: Sendable {
    /// The manager of the whole machine.
    public static let system = SystemdManager(.system)
    /// The manager of this user.
    public static let user = SystemdManager(.user)

    /// The manager of a scope.
    public static func of(_ scope: ManagerScope) -> SystemdManager { scope == .system ? system : user }

    /// Whose manager it is.
    public let scope: ManagerScope

    private typealias Job = @Sendable (BusConnection?, SystemdError) -> Void

    private struct State {
        var jobs: [Job] = []
        var watches: [ObjectIdentifier: UnitWatch] = [:]
        var isRunning = false
    }

    private static let retryMilliseconds: Int32 = 500

    private let bell = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
    private let state = Mutex(State())

    private init(_ scope: ManagerScope) {
        self.scope = scope
    }

    // MARK: - What it does

    /// Whether a manager answers.
    public func answers() async -> Bool { (try? await controlGroup()) != nil }

    /// The control group that the manager stands at the top of; empty for the root.
    public func controlGroup() async throws(SystemdError) -> String {
        try await perform { (bus) throws(SystemdError) in try bus.controlGroup() }
    }

    /// Starts a transient unit and holds on to it until ``forget(_:)``.
    public func start(_ unit: String, _ properties: [UnitProperty]) async throws(SystemdError) {
        try await perform { (bus) throws(SystemdError) in
            try bus.start(unit, properties + [.flag("AddRef", true)])
        }
    }

    /// Asks for the unit's end, within its stop timeout.
    public func stop(_ unit: String) async throws(SystemdError) {
        try await perform { (bus) throws(SystemdError) in try bus.stop(unit) }
    }

    /// Sends a signal.
    ///
    /// Later calls find it sent. What can't be sent to a unit that has ended is not missed.
    public func signal(_ unit: String, _ signal: Int32, onlyMain: Bool = false) {
        post { bus, _ in try? bus?.kill(unit, onlyMain: onlyMain, signal) }
    }

    /// Holds on to a unit that was found running, so that how it ends can be read.
    public func hold(_ unit: String) async throws(SystemdError) {
        try await perform { (bus) throws(SystemdError) in try bus.reference(unit) }
    }

    /// Lets go of a unit; one that has ended is gone then.
    public func forget(_ unit: String) async {
        try? await perform { (bus) throws(SystemdError) in bus.forget(unit) }
    }

    /// What the manager says of a unit.
    public func state(of unit: String) async throws(SystemdError) -> UnitState {
        try await perform { (bus) throws(SystemdError) in try bus.state(of: unit) }
    }

    /// The names of loaded units that fit a pattern.
    public func units(like pattern: String) async throws(SystemdError) -> [String] {
        try await perform { (bus) throws(SystemdError) in try bus.units(like: pattern) }
    }

    /// Calls `changed` with the unit's state at every change, on a thread that must not be blocked, until
    /// ``unwatch(_:)``.
    public func watch(_ unit: String, changed: @escaping @Sendable (UnitState) -> Void) -> UnitWatch {
        let watch = UnitWatch(unit, changed: changed)
        state.withLock { $0.watches[ObjectIdentifier(watch)] = watch }
        refresh(unit)
        return watch
    }

    /// Ends a watch.
    public func unwatch(_ watch: UnitWatch) {
        state.withLock { _ = $0.watches.removeValue(forKey: ObjectIdentifier(watch)) }
    }

    /// Has the watches of a unit told its state, if that is not what they know.
    public func refresh(_ unit: String) {
        post { [self] bus, _ in
            guard let state = try? bus?.state(of: unit) else { return }
            tell(unit, state)
        }
    }

    // MARK: - The thread

    private func perform<T: Sendable>(
        _ body: @escaping @Sendable (BusConnection) throws(SystemdError) -> T
    ) async throws(SystemdError) -> T {
        let result: Result<T, SystemdError> = await withCheckedContinuation { continuation in
            post { bus, failure in
                guard let bus else { return continuation.resume(returning: .failure(failure)) }
                do throws(SystemdError) {
                    continuation.resume(returning: .success(try body(bus)))
                } catch {
                    continuation.resume(returning: .failure(error))
                }
            }
        }
        return try result.get()
    }

    private func post(_ job: @escaping Job) {
        let isFirst = state.withLock { state in
            state.jobs.append(job)
            defer { state.isRunning = true }
            return !state.isRunning
        }
        if isFirst { LongLivedThread.start(named: "systemd") { self.run() } }
        var one: UInt64 = 1
        _ = write(bell, &one, 8)
    }

    private func run() -> Never {
        var bus: BusConnection?
        while true {
            let jobs = state.withLock { state in
                let jobs = state.jobs
                state.jobs = []
                return jobs
            }
            let units = Set(state.withLock { $0.watches.values.map(\.unit) })
            var failure = SystemdError(.unavailable, "no \(scope) manager")
            if bus == nil, !jobs.isEmpty || !units.isEmpty {
                do throws(SystemdError) {
                    let new = try BusConnection(scope)
                    bus = new
                    for unit in units { try? new.reference(unit) }
                    tellAll(units, new)
                } catch {
                    failure = error
                }
            }
            for job in jobs { job(bus, failure) }
            do throws(SystemdError) {
                // Until nothing is left, after every own call as well: calls queue what arrives meanwhile, and the
                // descriptor is not readable for that any more.
                try bus?.process()
                if let bus { try follow(bus) }
            } catch {
                bus = nil
            }
            if state.withLock({ $0.jobs.isEmpty }) { wait(for: bus, hasWatches: !units.isEmpty) }
        }
    }

    private func follow(_ bus: BusConnection) throws(SystemdError) {
        while true {
            let (paths, isManagerNew) = bus.takeChanges()
            guard isManagerNew || !paths.isEmpty else { return }
            let watched = Set(state.withLock { $0.watches.values.map(\.unit) })
            if isManagerNew {
                try? bus.subscribe()
                for unit in watched { try? bus.reference(unit) }
            }
            tellAll(isManagerNew ? watched : watched.filter { paths.contains(BusConnection.path(of: $0)) }, bus)
            // The calls above may have read further changes, of which polling would tell nothing.
            try bus.process()
        }
    }

    private func tellAll(_ units: Set<String>, _ bus: BusConnection) {
        for unit in units {
            guard let state = try? bus.state(of: unit) else { continue }
            tell(unit, state)
        }
    }

    private func tell(_ unit: String, _ unitState: UnitState) {
        for watch in state.withLock({ $0.watches.values.filter { $0.unit == unit } }) { watch.update(unitState) }
    }

    private func wait(for bus: BusConnection?, hasWatches: Bool) {
        var descriptors = [pollfd(fd: bell, events: Int16(POLLIN), revents: 0)]
        var patience: Int32 = -1
        if let bus {
            descriptors.append(bus.descriptor)
            patience = bus.patience
        } else if hasWatches {
            patience = Self.retryMilliseconds
        }
        poll(&descriptors, nfds_t(descriptors.count), patience)
        var value: UInt64 = 0
        _ = read(bell, &value, 8)
    }
}
