// SPDX-License-Identifier: MIT

import RuntimeContract
import Synchronization
import Systemd

/// The logs of units: which run of which unit is whose, and readers of the journal for them.
final class UnitLogs: Sendable {
    private struct Weak {
        weak var reader: JournalReader?
    }

    private struct Entry {
        var invocations: [String] = []
        var isLive = false
        var followers: [Weak] = []
    }

    private let names: UnitName
    private let scope: ManagerScope
    /// The newest invocation last; at most two of an instance.
    private let entries = Mutex<[InstanceID: Entry]>([:])

    init(names: UnitName, scope: ManagerScope) {
        self.names = names
        self.scope = scope
    }

    /// A run of an instance has begun, or was taken over.
    func began(_ instance: InstanceID, _ invocation: String, earlier: [String] = []) {
        entries.withLock { entries in
            var entry = entries[instance] ?? Entry()
            if entry.invocations.isEmpty { entry.invocations = earlier.filter { $0 != invocation }.suffix(1) }
            if entry.invocations.last != invocation {
                entry.invocations = entry.invocations.suffix(1) + [invocation]
            }
            entry.isLive = true
            entries[instance] = entry
        }
    }

    /// The present run of an instance has ended.
    func ended(_ instance: InstanceID) {
        let followers = entries.withLock { entries in
            entries[instance]?.isLive = false
            let followers = entries[instance]?.followers.compactMap(\.reader) ?? []
            entries[instance]?.followers = []
            return followers
        }
        for follower in followers { follower.end() }
    }

    /// Forgets the instances of a workload; what the journal holds of them stays in it.
    func forget(_ workload: WorkloadID) {
        entries.withLock { entries in entries = entries.filter { $0.key.workload != workload } }
    }

    /// A part of an instance's log; `nil` if there is none.
    func log(of instance: InstanceID, _ options: LogOptions, now: Timestamp) throws(RuntimeError) -> LogStream? {
        let entry = entries.withLock { $0[instance] }
        let invocation = options.previous ? entry?.invocations.dropLast().last : entry?.invocations.last
        guard let entry, let invocation else { return nil }
        let oldest = options.since.map { since in
            UInt64(max(now.millisecondsSinceEpoch - Int64(since / .milliseconds(1)), 0)) * 1000
        }
        let query = JournalQuery(
            unit: names.unit(instance), scope: scope, invocation: invocation, tail: options.tailLines, since: oldest)
        let reader: JournalReader
        do throws(SystemdError) {
            reader = try JournalReader(query, follow: options.follow && entry.isLive && !options.previous)
        } catch {
            throw RuntimeError(.unavailable, error.message, workload: instance.workload)
        }
        if options.follow { follow(instance, invocation, reader) }
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
        let isOver = entries.withLock { entries in
            guard var entry = entries[instance], entry.isLive, entry.invocations.last == invocation else { return true }
            entry.followers.removeAll { $0.reader == nil }
            entry.followers.append(Weak(reader: reader))
            entries[instance] = entry
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
