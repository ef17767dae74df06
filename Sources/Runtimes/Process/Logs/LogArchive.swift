// SPDX-License-Identifier: MIT

import RuntimeContract
import Synchronization

/// The logs of all instances: of the present or last life of each, and of the one before.
///
/// `<directory>/<workload>/<ordinal>/<number>.log`, with numbers that go up, over restarts of the driver as well.
final class LogArchive: Sendable {
    private struct Entry {
        var number: Int
        var log: LogFile
    }

    private let directory: String
    private let limits: ProcessRuntimeConfiguration.LogLimits
    /// The newest last; at most two of an instance.
    private let entries = Mutex<[InstanceID: [Entry]]>([:])

    init(directory: String, limits: ProcessRuntimeConfiguration.LogLimits) {
        self.directory = directory
        self.limits = limits
    }

    /// The log for a life that begins; that of the life before the previous one is deleted.
    func begin(_ instance: InstanceID) -> LogFile {
        let folder = "\(directory)/\(instance.workload)/\(instance.ordinal)"
        // If it can't be made, lines are dropped until it can.
        _ = DirectoryTree.make(folder)
        return entries.withLock { entries in
            var kept = entries[instance] ?? Self.earlier(in: folder)
            let number = (kept.last?.number ?? 0) + 1
            for old in kept.dropLast() { old.log.remove() }
            let log = LogFile(path: "\(folder)/\(Self.name(number))", maximumFile: limits.fileBytes)
            kept = kept.suffix(1) + [Entry(number: number, log: log)]
            entries[instance] = kept
            return log
        }
    }

    /// The log of the present or last life, or of the one before; `nil` if there is none.
    func log(of instance: InstanceID, previous: Bool) -> LogFile? {
        entries.withLock { entries in
            guard let kept = entries[instance] else { return nil }
            return previous ? (kept.count == 2 ? kept.first?.log : nil) : kept.last?.log
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
