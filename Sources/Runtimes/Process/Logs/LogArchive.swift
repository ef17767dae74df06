// SPDX-License-Identifier: MIT

import RuntimeContract
import Synchronization

/// The logs of all instances: of each life that goes on, and of the last one that ended.
///
/// Two lives of an instance go on while one replaces the other.
///
/// `<directory>/<workload>/<ordinal>/<number>.log`, with numbers that go up, over restarts of the driver as well.
final class LogArchive: Sendable {
    private struct Entry {
        var number: Int
        var log: LogFile
    }

    private let directory: String
    private let limits: ProcessRuntimeConfiguration.LogLimits
    /// The newest last; those that go on, and one that ended.
    private let entries = Mutex<[InstanceID: [Entry]]>([:])

    init(directory: String, limits: ProcessRuntimeConfiguration.LogLimits) {
        self.directory = directory
        self.limits = limits
    }

    /// The log for a life that begins; of those that ended only the newest is kept.
    func begin(_ instance: InstanceID) -> LogFile {
        let folder = "\(directory)/\(instance.workload)/\(instance.ordinal)"
        // If it can't be made, lines are dropped until it can.
        _ = DirectoryTree.make(folder)
        return entries.withLock { entries in
            var kept = entries[instance] ?? Self.earlier(in: folder)
            let number = (kept.last?.number ?? 0) + 1
            let old = Set(kept.filter(\.log.hasEnded).dropLast().map(\.number))
            for entry in kept where old.contains(entry.number) { entry.log.remove() }
            kept.removeAll { old.contains($0.number) }
            let log = LogFile(path: "\(folder)/\(Self.name(number))", maximumFile: limits.fileBytes)
            entries[instance] = kept + [Entry(number: number, log: log)]
            return log
        }
    }

    /// The log of the newest life that goes on, or else of the last one; `nil` if there is none.
    ///
    /// With `previous`, that of the one that ended before it: after a roll-out that failed, of the new life.
    func log(of instance: InstanceID, previous: Bool) -> LogFile? {
        entries.withLock { entries in
            guard let kept = entries[instance] else { return nil }
            let present = kept.last { !$0.log.hasEnded } ?? kept.last
            guard previous else { return present?.log }
            let others = kept.filter { $0.number != present?.number }
            return (others.last { $0.log.hasEnded } ?? others.last)?.log
        }
    }

    /// Deletes the logs of a workload.
    func forget(_ workload: WorkloadID) {
        entries.withLock { entries in entries = entries.filter { $0.key.workload != workload } }
        DirectoryTree.remove("\(directory)/\(workload)")
    }

    /// The logs of lives before this driver was started, the newest last.
    private static func earlier(in folder: String) -> [Entry] {
        let numbers = DirectoryTree.names(in: folder).compactMap { name in
            name.hasSuffix(".log") ? Int(name.dropLast(4)) : nil
        }
        return numbers.filter { $0 > 0 }.sorted().map { number in
            Entry(number: number, log: LogFile(ofEarlierLife: "\(folder)/\(name(number))"))
        }
    }

    private static func name(_ number: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, 8 - digits.count)) + digits + ".log"
    }
}
