// SPDX-License-Identifier: MIT

internal import RuntimeContract

/// Decides by a ``Budget`` who may start, and who is parked for it.
///
/// Pure. It is told what was measured, keeps what was promised to those who start and are not measured yet, and
/// remembers what an instance needed at most, as the best guess at what its next life will need. The rules:
///
/// - Who fits starts. For who does not, those that nobody uses are parked, the least recently used first, as many as it
///   takes; if all of them were too few, none is parked and the start has to wait.
/// - Where nothing else runs, everything may start: a budget that is too small for one server stops nobody for good.
/// - What uses more than the budget allows has those parked that nobody uses. What is in use goes on.
struct BudgetLedger: Sendable {
    /// What somebody uses, or will.
    struct Share: Hashable, Sendable {
        var bytes: Int64 = 0
        var processes = 0

        static func + (a: Share, b: Share) -> Share {
            Share(bytes: a.bytes + b.bytes, processes: a.processes + b.processes)
        }

        /// The larger of each.
        static func larger(_ a: Share, _ b: Share) -> Share {
            Share(bytes: max(a.bytes, b.bytes), processes: max(a.processes, b.processes))
        }

        func times(_ count: Int) -> Share { Share(bytes: bytes * Int64(count), processes: processes * count) }
    }

    /// Whether something may start.
    enum Admission: Hashable, Sendable {
        /// It may, after these were parked.
        case admitted(parking: [WorkloadID])
        /// There is no room, and nobody to park.
        case refused
    }

    /// What an instance is taken to need that was never measured: a small server in Python.
    static let unmeasured = Share(bytes: 64 << 20, processes: 1)

    let budget: Budget
    /// What was measured last.
    private var used: [WorkloadID: Share] = [:]
    /// What was promised to those who start.
    private var promised: [WorkloadID: Share] = [:]
    /// The most that one instance was seen to use.
    private var largest: [WorkloadID: Share] = [:]

    init(_ budget: Budget) { self.budget = budget }

    /// Takes up what the instances of all workloads use now.
    ///
    /// - Parameter starting: The workloads of which an instance does not answer yet: what was promised to them is kept.
    mutating func measured(_ instances: [WorkloadID: [Share]], starting: Set<WorkloadID>) {
        used = instances.mapValues { $0.reduce(Share(), +) }
        for (workload, shares) in instances {
            largest[workload] = shares.reduce(largest[workload] ?? Share(), Share.larger)
        }
        promised = promised.filter { starting.contains($0.key) }
    }

    /// Forgets workloads that are no more.
    mutating func forget(where isGone: (WorkloadID) -> Bool) {
        used = used.filter { !isGone($0.key) }
        promised = promised.filter { !isGone($0.key) }
        largest = largest.filter { !isGone($0.key) }
    }

    /// Whether `workload` may start its instances; what it will need is promised to it then.
    ///
    /// - Parameter idle: Those that could be parked, the least recently used first.
    mutating func admit(_ workload: WorkloadID, instances: Int, idle: [WorkloadID] = []) -> Admission {
        guard promised[workload] == nil else { return .admitted(parking: []) }
        let known = largest[workload] ?? Share()
        // What was measured before its first process was there says nothing.
        let need = (known.processes > 0 ? known : Self.unmeasured).times(instances)
        var others = total(without: [workload])
        var parked: [WorkloadID] = []
        for candidate in idle where candidate != workload && uses(candidate) && !fits(others, need) {
            parked.append(candidate)
            others = total(without: [workload] + parked)
        }
        guard fits(others, need) else { return .refused }
        promised[workload] = need
        for candidate in parked { noteParked(candidate) }
        return .admitted(parking: parked)
    }

    /// Takes back what was promised.
    mutating func withdraw(_ workload: WorkloadID) { promised[workload] = nil }

    /// Who is to be parked so that the budget is kept, of those in `idle`, the least recently used first.
    mutating func excess(idle: [WorkloadID]) -> [WorkloadID] {
        var parked: [WorkloadID] = []
        for candidate in idle where uses(candidate) && !isWithin(total(without: parked)) { parked.append(candidate) }
        for candidate in parked { noteParked(candidate) }
        return parked
    }

    /// Whether what is used is more than the budget allows.
    var isExceeded: Bool { !isWithin(total(without: [])) }

    /// What all use together, or were promised.
    var total: Share { total(without: []) }

    private mutating func noteParked(_ workload: WorkloadID) {
        used[workload] = nil
        promised[workload] = nil
    }

    /// Servers of others use nothing here, and parking them would free nothing.
    private func uses(_ workload: WorkloadID) -> Bool { used[workload] ?? Share() != Share() }

    private func total(without left: [WorkloadID]) -> Share {
        var total = Share()
        for workload in Set(used.keys).union(promised.keys) where !left.contains(workload) {
            total = total + Share.larger(used[workload] ?? Share(), promised[workload] ?? Share())
        }
        return total
    }

    private func fits(_ others: Share, _ need: Share) -> Bool { others == Share() || isWithin(others + need) }

    private func isWithin(_ share: Share) -> Bool {
        share.bytes <= budget.memoryBytes ?? .max && share.processes <= budget.processes ?? .max
    }
}
