// SPDX-License-Identifier: MIT

import CSpawn
import Glibc
import Synchronization

/// The one thread that notices the end of every child (epoll over pidfds) and reaps it.
///
/// Lives as long as the process: children may end at any time, and nobody else waits for them.
final class Reaper: Sendable {
    static let shared = Reaper()

    private struct State {
        var children: [Int32: ChildProcess] = [:]
        /// Starts under way, whose process is not among the children yet.
        var starts = 0
        var adoptsOrphans = false
    }

    private let epoll: Int32
    private let bell: Int32
    private let state = Mutex(State())

    /// How often orphans are looked for that have become children of this process.
    private static let orphanPeriod: Int32 = 5000

    private init() {
        epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        bell = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        precondition(epoll >= 0 && bell >= 0, "no descriptor is left for epoll")
        _ = add(bell)
        // The thread waits until `shared` is assigned, which is when this initializer has returned.
        LongLivedThread.start(named: "reaper") { Reaper.shared.run() }
    }

    /// Whether orphaned descendants become children of this process.
    var adoptsOrphans: Bool { state.withLock(\.adoptsOrphans) }

    /// The children that have not ended.
    func living() -> [ChildProcess] { state.withLock { Array($0.children.values) } }

    /// Makes this process the one to whom the kernel gives its orphaned descendants (prctl(2),
    /// PR_SET_CHILD_SUBREAPER), and looks after them.
    func adoptOrphans() {
        let isNew = state.withLock { state in
            guard !state.adoptsOrphans, cspawn_adopt_orphans(bell) == 0 else { return false }
            state.adoptsOrphans = true
            return true
        }
        if isNew { ring() }
    }

    /// Runs a start; whoever ends meanwhile may be the one that is started, so no orphan is reaped.
    func starting(_ start: () -> ChildProcess?) -> ChildProcess? {
        state.withLock { $0.starts += 1 }
        let child = start()
        if let child { watch(child) }
        let adopts = state.withLock { state in
            state.starts -= 1
            return state.adoptsOrphans
        }
        if adopts { ring() }
        return child
    }

    /// Begins to wait for the end of `child`.
    private func watch(_ child: ChildProcess) {
        state.withLock { $0.children[child.pidfd] = child }
        // Fails only without kernel memory or beyond the limit of watches; then the child can't be supervised.
        guard !add(child.pidfd) else { return }
        child.signalGroup(SIGKILL)
        // A killed process ends at once, so that reaping it here does not wait.
        state.withLock { _ = $0.children.removeValue(forKey: child.pidfd) }
        child.finish()
    }

    private func add(_ descriptor: Int32) -> Bool {
        var event = epoll_event()
        event.events = EPOLLIN.rawValue
        event.data.fd = descriptor
        return epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) == 0
    }

    private func ring() {
        var one: UInt64 = 1
        _ = write(bell, &one, 8)
    }

    private func run() -> Never {
        var events = [epoll_event](repeating: epoll_event(), count: 64)
        while true {
            let adopts = adoptsOrphans
            let count = epoll_wait(epoll, &events, Int32(events.count), adopts ? Self.orphanPeriod : -1)
            for event in events[..<Int(max(count, 0))] {
                let descriptor = event.data.fd
                guard descriptor != bell else {
                    var value: UInt64 = 0
                    _ = read(bell, &value, 8)
                    continue
                }
                // A pidfd is readable as soon as the leader is a zombie.
                guard cspawn_has_ended(descriptor) != 0,
                    let child = state.withLock({ $0.children.removeValue(forKey: descriptor) })
                else { continue }
                // Before the descriptor is closed and its number used again.
                epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor, nil)
                child.finish()
            }
            if adopts { lookAfterOrphans(isQuiet: count == 0) }
        }
    }

    private func lookAfterOrphans(isQuiet: Bool) {
        // Under the lock: no start begins meanwhile, and a child that is not in the table is none of ours.
        let pids = state.withLock { state -> Set<Int32>? in
            guard state.starts == 0 else { return nil }
            let pids = Set(state.children.values.map(\.pid))
            while true {
                // Those that are in the table are reaped by way of their descriptor.
                let pid = cspawn_next_ended()
                guard pid > 0, !pids.contains(pid) else { break }
                cspawn_reap_pid(pid)
            }
            return pids
        }
        guard isQuiet, let pids, !pids.isSuperset(of: ProcessTable.ownChildren()) else { return }
        StrayHunter.shared.lookAfterOrphans()
    }
}
