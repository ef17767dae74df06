// SPDX-License-Identifier: MIT

import Glibc

/// What processes use, as proc(5) tells of them: one look at all processes of the machine, asked for many trees of them.
public struct ProcessUsage: Sendable {
    /// What several processes use together.
    public struct Total: Hashable, Sendable {
        /// Resident memory, in bytes; shared pages count once for each process.
        public var residentBytes: Int64 = 0
        /// Processor time, with that of children that were waited for.
        public var cpuTime: Duration = .zero
        /// How many there are; those that only wait to be reaped don't count.
        public var processes = 0
    }

    private struct Process {
        let parent: Int32
        let residentPages: Int64
        let ticks: Int64
        let isZombie: Bool
    }

    private let processes: [Int32: Process]
    private let children: [Int32: [Int32]]

    /// Looks at all processes that can be seen; costs about ten microseconds for each.
    public init() {
        var processes: [Int32: Process] = [:]
        for pid in ProcessTable.ids() {
            guard let fields = ProcessTable.fields(of: pid), fields.count > 21, let parent = Int32(fields[1]) else {
                continue
            }
            // Fields 14 to 17 of proc(5): own time of the user and the system, and that of children waited for.
            let ticks = fields[11...14].reduce(0) { $0 + (Int64($1) ?? 0) }
            processes[pid] = Process(
                parent: parent, residentPages: Int64(fields[21]) ?? 0, ticks: ticks,
                isZombie: fields[0] == "Z" || fields[0] == "X")
        }
        self.processes = processes
        children = Dictionary(grouping: processes.keys) { processes[$0]?.parent ?? 0 }
    }

    /// What a process and all its descendants use; `nil` if there is no such process.
    public func tree(of root: Int32) -> Total? {
        guard processes[root] != nil else { return nil }
        var members: Set<Int32> = []
        var waiting = [root]
        while let pid = waiting.popLast() {
            guard members.insert(pid).inserted else { continue }
            waiting += children[pid] ?? []
        }
        return total(of: members)
    }

    /// The children of a process.
    public func children(of pid: Int32) -> [Int32] { children[pid] ?? [] }

    /// What these processes use.
    public func total(of members: some Sequence<Int32>) -> Total {
        var total = Total()
        var ticks: Int64 = 0
        for pid in members {
            guard let process = processes[pid] else { continue }
            total.residentBytes += process.residentPages * Self.pageSize
            total.processes += process.isZombie ? 0 : 1
            ticks += process.ticks
        }
        total.cpuTime = .milliseconds(ticks * 1000 / Self.ticksPerSecond)
        return total
    }

    private static let pageSize = Int64(sysconf(Int32(_SC_PAGESIZE)))
    private static let ticksPerSecond = max(Int64(sysconf(Int32(_SC_CLK_TCK))), 1)
}
