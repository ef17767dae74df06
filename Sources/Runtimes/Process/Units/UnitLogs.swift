// SPDX-License-Identifier: MIT

import RuntimeContract
import Synchronization
import Systemd

/// The logs of units: which run of which unit is whose, and readers of the journal for them.
final class UnitLogs: Sendable {
    private struct Weak {
        weak var reader: JournalReader?
    }

    /// One run of a unit.
    private struct Run {
        let unit: String
        let invocation: String
        /// ``LaunchMark/logName``; not known of one before this gateway.
        let name: String?
        var isLive = true
        var followers: [Weak] = []
    }

    private let scope: ManagerScope
    /// The newest last; those that go on, and one that ended.
    private let runs = Mutex<[InstanceID: [Run]]>([:])

    init(scope: ManagerScope) {
        self.scope = scope
    }

    /// A run of an instance has begun, or was taken over.
    func began(
        _ instance: InstanceID, _ unit: String, _ invocation: String, _ name: String, earlier: [String] = []
    ) {
        runs.withLock { runs in
            var kept = runs[instance] ?? []
            if kept.isEmpty, let last = earlier.last(where: { $0 != invocation }) {
                kept = [Run(unit: unit, invocation: last, name: nil, isLive: false)]
            }
            let old = Set(kept.filter { !$0.isLive }.dropLast().map(\.invocation))
            kept.removeAll { old.contains($0.invocation) || $0.invocation == invocation }
            runs[instance] = kept + [Run(unit: unit, invocation: invocation, name: name)]
        }
    }

    /// A run of an instance has ended.
    func ended(_ instance: InstanceID, _ invocation: String) {
        let followers = runs.withLock { runs -> [JournalReader] in
            guard let index = runs[instance]?.firstIndex(where: { $0.invocation == invocation }) else { return [] }
            let followers = runs[instance]?[index].followers.compactMap(\.reader)
            runs[instance]?[index].isLive = false
            runs[instance]?[index].followers = []
            return followers ?? []
        }
        for follower in followers { follower.end() }
    }

    /// The run that is meant: the newest that goes on, or else the last one; or the one that ended before it.
    private func run(of instance: InstanceID, previous: Bool) -> Run? {
        let kept = runs.withLock { $0[instance] } ?? []
        let present = kept.last(where: \.isLive) ?? kept.last
        guard previous else { return present }
        let others = kept.filter { $0.invocation != present?.invocation }
        return others.last { !$0.isLive } ?? others.last
    }

    /// Forgets the instances of a workload; what the journal holds of them stays in it.
    func forget(_ workload: WorkloadID) {
        runs.withLock { runs in runs = runs.filter { $0.key.workload != workload } }
    }

    /// A part of an instance's log; `nil` if there is none.
    func log(of instance: InstanceID, _ options: LogOptions, now: Timestamp) throws(RuntimeError) -> LogStream? {
        guard let run = run(of: instance, previous: options.previous) else { return nil }
        let oldest = options.since.map { since in
            UInt64(max(now.millisecondsSinceEpoch - Int64(since / .milliseconds(1)), 0)) * 1000
        }
        let query = JournalQuery(
            unit: run.unit, scope: scope, invocation: run.invocation, name: run.name, tail: options.tailLines,
            since: oldest)
        let reader: JournalReader
        do throws(SystemdError) {
            reader = try JournalReader(query, follow: options.follow && run.isLive)
        } catch {
            throw RuntimeError(.unavailable, error.message, workload: instance.workload)
        }
        if options.follow { follow(instance, run.invocation, reader) }
        return LogStream { () throws(RuntimeError) -> [LogLine]? in
            while true {
                do throws(SystemdError) {
                    guard let lines = try await reader.next() else { break }
                    let wanted = lines.filter { $0.microseconds >= oldest ?? 0 }
                    if !wanted.isEmpty { return wanted.map(Self.line) }
                } catch {
                    throw RuntimeError(.unavailable, error.message, workload: instance.workload)
                }
            }
            if Task.isCancelled { throw RuntimeError(.cancelled, "reading the log was cancelled") }
            return nil
        }
    }

    private func follow(_ instance: InstanceID, _ invocation: String, _ reader: JournalReader) {
        let isOver = runs.withLock { runs in
            guard let index = runs[instance]?.firstIndex(where: { $0.invocation == invocation && $0.isLive }) else {
                return true
            }
            runs[instance]?[index].followers.removeAll { $0.reader == nil }
            runs[instance]?[index].followers.append(Weak(reader: reader))
            return false
        }
        if isOver { reader.end() }
    }

    private static func line(_ line: JournalLine) -> LogLine {
        LogLine(
            timestamp: Timestamp(millisecondsSinceEpoch: Int64(line.microseconds / 1000)),
            text: Array(line.text.prefix(LogLine.maximumBytes)))
    }
}
