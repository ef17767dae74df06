// SPDX-License-Identifier: MIT

import CSpawn
import Glibc
import Synchronization

/// The one thread that notices the end of every child (epoll over pidfds) and reaps it.
///
/// Lives as long as the process: children may end at any time, and nobody else waits for them.
final class Reaper: Sendable {
    static let shared = Reaper()

    private let epoll: Int32
    private let children = Mutex<[Int32: ChildProcess]>([:])

    private init() {
        epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        precondition(epoll >= 0, "no descriptor is left for epoll")
        // The thread waits until `shared` is assigned, which is when this initializer has returned.
        LongLivedThread.start(named: "reaper") { Reaper.shared.run() }
    }

    /// Begins to wait for the end of `child`, which `pidfd` stands for.
    func watch(_ child: ChildProcess, pidfd: Int32) {
        children.withLock { $0[pidfd] = child }
        var event = epoll_event()
        event.events = EPOLLIN.rawValue
        event.data.fd = pidfd
        // Fails only without kernel memory or beyond the limit of watches; then the child can't be supervised.
        guard epoll_ctl(epoll, EPOLL_CTL_ADD, pidfd, &event) != 0 else { return }
        child.signalGroup(SIGKILL)
        // A killed process ends at once, so that reaping it here does not wait.
        children.withLock { _ = $0.removeValue(forKey: pidfd) }
        child.finish()
    }

    private func run() -> Never {
        var events = [epoll_event](repeating: epoll_event(), count: 64)
        while true {
            let count = epoll_wait(epoll, &events, Int32(events.count), -1)
            guard count > 0 else { continue }
            for event in events[..<Int(count)] {
                let pidfd = event.data.fd
                // A pidfd is readable as soon as the leader is a zombie.
                guard cspawn_has_ended(pidfd) != 0,
                    let child = children.withLock({ $0.removeValue(forKey: pidfd) })
                else { continue }
                // Before the descriptor is closed and its number used again.
                epoll_ctl(epoll, EPOLL_CTL_DEL, pidfd, nil)
                child.finish()
            }
        }
    }
}
