// SPDX-License-Identifier: MIT

import Glibc

/// Finds and kills processes that come from somewhere, and no others.
public enum Strays {
    /// Kills everything that comes from `owner` and everything below the processes in `roots`; returns when it is gone,
    /// or after two seconds.
    ///
    /// For the start of a program, when nothing that it started itself runs yet. A process is killed only if its
    /// environment names the owner, if id and start time are those of a root, or if one of these is above it; this
    /// process and those above it never are.
    ///
    /// - Returns: how many were killed.
    public static func sweep(_ owner: Origin, roots: [ProcessTable.Entry]) -> Int {
        var killed: Set<ProcessTable.Entry> = []
        for _ in 0..<200 {
            let entries = candidates()
            let seeds = entries.filter { entry in
                roots.contains { $0.pid == entry.pid && $0.start == entry.start }
                    || ProcessTable.origin(of: entry.pid).map(owner.includes) == true
            }
            let strays = withDescendants(seeds, in: entries)
            if strays.isEmpty { break }
            for stray in strays where ProcessTable.kill(stray) { killed.insert(stray) }
            // The killed need a moment to go, and to let go of what they hold.
            usleep(10_000)
        }
        return killed.count
    }

    /// All processes that may be killed at all: alive, and neither this one nor above it.
    static func candidates() -> [ProcessTable.Entry] {
        let entries = ProcessTable.entries()
        let parents = Dictionary(entries.map { ($0.pid, $0.parent) }) { first, _ in first }
        var spared: Set<Int32> = []
        var next = getpid()
        while next > 0, spared.insert(next).inserted { next = parents[next] ?? 0 }
        return entries.filter { !$0.isZombie && !spared.contains($0.pid) }
    }

    /// `seeds`, and those of `entries` that are below them.
    static func withDescendants(
        _ seeds: [ProcessTable.Entry], in entries: [ProcessTable.Entry]
    ) -> [ProcessTable.Entry] {
        guard !seeds.isEmpty else { return [] }
        let children = Dictionary(grouping: entries, by: \.parent)
        var found: [Int32: ProcessTable.Entry] = [:]
        var pending = seeds
        while let entry = pending.popLast() {
            guard found[entry.pid] == nil else { continue }
            found[entry.pid] = entry
            pending += children[entry.pid] ?? []
        }
        return Array(found.values)
    }
}
