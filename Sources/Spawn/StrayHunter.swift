// SPDX-License-Identifier: MIT

import CSpawn
import Glibc
import Synchronization

/// Kills what children leave behind: descendants that moved to other groups or sessions, whoever their parent is now.
///
/// One thread, which lives as long as the process: reading the table of processes takes milliseconds, which the reaper
/// has not.
final class StrayHunter: Sendable {
    static let shared = StrayHunter()

    private struct Hunt {
        let origin: Origin
        let done: @Sendable () -> Void
    }

    private let bell = ThreadBell()
    private let hunts = Mutex<[Hunt]>([])

    private init() {
        LongLivedThread.start(named: "strays") { StrayHunter.shared.run() }
    }

    /// Kills everything that comes from `origin`, then calls `done`.
    func end(_ origin: Origin, done: @escaping @Sendable () -> Void) {
        hunts.withLock { $0.append(Hunt(origin: origin, done: done)) }
        bell.ring()
    }

    /// Looks for orphans that became children of this process and belong to nobody any more.
    func lookAfterOrphans() { bell.ring() }

    private func run() -> Never {
        while true {
            bell.wait()
            let due = hunts.withLock { hunts in
                let due = hunts
                hunts = []
                return due
            }
            // A stray may start another one while it is looked for; whoever keeps that up for a hundred rounds is not
            // waited for.
            for round in 0..<100 {
                let strays = self.strays(of: due.map(\.origin))
                if strays.isEmpty { break }
                for stray in strays { ProcessTable.kill(stray) }
                // The killed need a moment to go, and their children to be seen as orphans.
                usleep(round < 10 ? 1000 : 10_000)
            }
            for hunt in due { hunt.done() }
        }
    }

    private func strays(of origins: [Origin]) -> [ProcessTable.Entry] {
        let living = Reaper.shared.living()
        let own = getpid()
        let adopts = Reaper.shared.adoptsOrphans
        let ids = Set(living.map(\.pid))
        let entries = Strays.candidates().filter { !ids.contains($0.pid) }
        let seeds = entries.filter { entry in
            let origin = ProcessTable.origin(of: entry.pid)
            if let origin, origins.contains(where: { $0.includes(origin) }) { return true }
            // The kernel made it a child of this process when its parent ended.
            guard adopts, entry.parent == own else { return false }
            if let origin, living.contains(where: { $0.origin?.includes(origin) ?? false }) { return false }
            // It can't say whose it is; it may belong to any child that was there before it.
            return !living.contains { $0.start <= entry.start }
        }
        return Strays.withDescendants(seeds, in: entries)
    }
}

/// A bell that one thread waits for; rings before the wait are one.
private final class ThreadBell: Sendable {
    private let descriptor = eventfd(0, Int32(EFD_CLOEXEC))

    func ring() {
        var one: UInt64 = 1
        _ = write(descriptor, &one, 8)
    }

    func wait() {
        var value: UInt64 = 0
        while read(descriptor, &value, 8) < 0, errno == EINTR {}
    }
}
