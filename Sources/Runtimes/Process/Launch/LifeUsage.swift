// SPDX-License-Identifier: MIT

import Glibc
import RuntimeContract
import Spawn
import Synchronization

/// Measures what lives use, when somebody asks.
///
/// All lives that are asked about within a moment are measured by one look at the processes of the machine.
final class LifeUsage: Sendable {
    /// How a life's processes are found.
    enum Processes: Hashable, Sendable {
        /// All descendants of a process; with orphans, which this process adopts and which carry the origin.
        case tree(Int32, Origin)
        /// The control group of a process.
        case group(Int32)
    }

    private struct State {
        var lives: [Incarnation: Processes] = [:]
        var look: (at: ContinuousClock.Instant, usage: ProcessUsage)?
    }

    /// How old a look may be.
    private static let maximumAge = Duration.milliseconds(200)

    private let state = Mutex(State())

    /// A life has begun.
    func began(_ life: Incarnation, _ processes: Processes) { state.withLock { $0.lives[life] = processes } }

    /// A life is over.
    func ended(_ life: Incarnation) { state.withLock { _ = $0.lives.removeValue(forKey: life) } }

    /// Puts in what the instances of `status` use.
    ///
    /// Takes about ten microseconds for each process of the machine, now and then.
    func measure(_ status: inout WorkloadStatus) {
        for index in status.instances.indices {
            guard let incarnation = status.instances[index].incarnation else { continue }
            status.instances[index].usage = usage(of: incarnation)
        }
    }

    private func usage(of life: Incarnation) -> InstanceUsage? {
        let found = state.withLock { state -> (Processes, ProcessUsage)? in
            guard let processes = state.lives[life] else { return nil }
            if let look = state.look, ContinuousClock.now - look.at < Self.maximumAge { return (processes, look.usage) }
            // Under the lock, so that many who ask at once cost one look.
            let usage = ProcessUsage()
            state.look = (.now, usage)
            return (processes, usage)
        }
        guard let (processes, usage) = found else { return nil }
        switch processes {
        case .tree(let root, let origin):
            guard var total = usage.tree(of: root) else { return nil }
            for orphan in usage.children(of: getpid()) where orphan != root {
                guard let own = ProcessTable.origin(of: orphan), origin.includes(own), let more = usage.tree(of: orphan)
                else { continue }
                total.residentBytes += more.residentBytes
                total.cpuTime += more.cpuTime
                total.processes += more.processes
            }
            return InstanceUsage(total)
        case .group(let main):
            guard let group = ControlGroup(of: main) else { return usage.tree(of: main).map { InstanceUsage($0) } }
            var total = InstanceUsage(usage.total(of: group.processes))
            // The group's own account has what ended meanwhile as well.
            total.cpuTime = group.cpuTime ?? total.cpuTime
            return total.processes > 0 ? total : nil
        }
    }
}

extension InstanceUsage {
    fileprivate init(_ total: ProcessUsage.Total) {
        self.init(residentBytes: total.residentBytes, cpuTime: total.cpuTime, processes: total.processes)
    }
}
