// SPDX-License-Identifier: MIT

import RuntimeContract
import Supervision
import Synchronization

/// What one life of a simulated instance wrote.
final class MemoryLog: Sendable {
    /// How many lines are kept; older ones are dropped.
    static let maximumLines = 10_000
    private static let batch = 100

    private struct State {
        var lines: [LogLine] = []
        /// How many lines were dropped at the front.
        var dropped = 0
        var hasEnded = false
        var readers: [ObjectIdentifier: Wakeup] = [:]
    }

    private let state = Mutex(State())

    var hasEnded: Bool { state.withLock(\.hasEnded) }

    func append(_ text: [UInt8], at timestamp: Timestamp) {
        change { state in
            state.lines.append(LogLine(timestamp: timestamp, text: Array(text.prefix(LogLine.maximumBytes))))
            guard state.lines.count > Self.maximumLines else { return }
            state.lines.removeFirst(state.lines.count - Self.maximumLines)
            state.dropped += 1
        }
    }

    func end() { change { $0.hasEnded = true } }

    private func change(_ change: (inout State) -> Void) {
        let readers = state.withLock { state in
            change(&state)
            return Array(state.readers.values)
        }
        for reader in readers { reader.signal() }
    }

    /// The lines that `options` ask for, as of `now`.
    func stream(_ options: LogOptions, now: Timestamp) -> LogStream {
        let oldest = options.since.map { since in
            Timestamp(millisecondsSinceEpoch: now.millisecondsSinceEpoch - Int64(since / .milliseconds(1)))
        }
        let range = state.withLock { state in
            var start = state.dropped
            if let oldest { start += state.lines.prefix { $0.timestamp < oldest }.count }
            let end = state.dropped + state.lines.count
            if let tail = options.tailLines { start = max(start, end - max(tail, 0)) }
            return start..<end
        }
        let reader = Reader(log: self, position: range.lowerBound, end: options.follow ? nil : range.upperBound)
        return LogStream { () throws(RuntimeError) -> [LogLine]? in try await reader.next() }
    }

    /// One reader's place in the log.
    private final class Reader: Sendable {
        private let log: MemoryLog
        private let position: Mutex<Int>
        /// Where to stop, or `nil` to go on until the log ends.
        private let end: Int?
        private let wakeup = Wakeup()

        init(log: MemoryLog, position: Int, end: Int?) {
            self.log = log
            self.position = Mutex(position)
            self.end = end
        }

        deinit {
            log.state.withLock { _ = $0.readers.removeValue(forKey: ObjectIdentifier(wakeup)) }
        }

        func next() async throws(RuntimeError) -> [LogLine]? {
            while true {
                if Task.isCancelled { throw RuntimeError(.cancelled, "reading the log was cancelled") }
                let from = position.withLock { $0 }
                let (lines, start, hasEnded) = log.state.withLock { state in
                    if end == nil { state.readers[ObjectIdentifier(wakeup)] = wakeup }
                    let all = state.dropped..<(state.dropped + state.lines.count)
                    let start = max(from, all.lowerBound)
                    let stop = min(end ?? all.upperBound, all.upperBound, start + MemoryLog.batch)
                    let lines = start < stop ? Array(state.lines[(start - state.dropped)..<(stop - state.dropped)]) : []
                    return (lines, start, state.hasEnded)
                }
                if !lines.isEmpty {
                    position.withLock { $0 = start + lines.count }
                    return lines
                }
                if end != nil || hasEnded { return nil }
                await wakeup.wait()
            }
        }
    }
}
