// SPDX-License-Identifier: MIT

import RuntimeContract
import Supervision
import Synchronization

/// One reader's place in a log.
final class LogReader: Sendable {
    /// How much is read at once: room for the longest line.
    private static let chunk = 2 * (LogLine.maximumBytes + LogStamp.length + 1)

    private struct Place {
        var position: Int64
        /// Whether lines that are too old may still come.
        var isSkipping: Bool
    }

    private let log: LogFile
    private let oldest: Timestamp?
    /// Where to stop, or `nil` to go on until the log ends.
    private let end: Int64?
    private let wakeup = Wakeup()
    private let place: Mutex<Place>

    /// Begins where `options` say, as of `now`.
    init(_ log: LogFile, options: LogOptions, now: Timestamp) {
        self.log = log
        oldest = options.since.map { since in
            Timestamp(millisecondsSinceEpoch: now.millisecondsSinceEpoch - Int64(since / .milliseconds(1)))
        }
        let range = log.extent(waking: nil).range
        end = options.follow ? nil : range.upperBound
        let start = options.tailLines.map { Self.tail($0, of: log, range) } ?? range.lowerBound
        place = Mutex(Place(position: start, isSkipping: oldest != nil))
    }

    deinit { log.leave(wakeup) }

    /// The stream that reads from here.
    var stream: LogStream {
        LogStream { () throws(RuntimeError) -> [LogLine]? in try await self.next() }
    }

    private func next() async throws(RuntimeError) -> [LogLine]? {
        while true {
            if Task.isCancelled { throw RuntimeError(.cancelled, "reading the log was cancelled") }
            let (range, hasEnded) = log.extent(waking: end == nil ? wakeup : nil)
            // What was dropped by rotation before it was read is lost to this reader.
            let position = max(place.withLock(\.position), range.lowerBound)
            let stop = min(end ?? range.upperBound, range.upperBound)
            if position < stop {
                let bytes = log.read(at: position, count: min(Self.chunk, Int(stop - position)))
                let (lines, consumed) = Self.lines(in: bytes, isLast: hasEnded && position + Int64(bytes.count) >= stop)
                // Rotated away between the two calls, or deleted.
                guard consumed > 0 else {
                    if log.extent(waking: nil).range.lowerBound > position { continue }
                    return nil
                }
                let wanted = advance(to: position + Int64(consumed), lines)
                if !wanted.isEmpty { return wanted }
            } else if end != nil || hasEnded {
                return nil
            } else {
                await wakeup.wait()
            }
        }
    }

    private func advance(to position: Int64, _ lines: [LogLine]) -> [LogLine] {
        place.withLock { place in
            place.position = position
            guard place.isSkipping, let oldest else { return lines }
            let wanted = Array(lines.drop { $0.timestamp < oldest })
            if !wanted.isEmpty { place.isSkipping = false }
            return wanted
        }
    }

    /// The whole lines at the beginning of `bytes`, and how many bytes they take.
    ///
    /// A file that was not ended properly may end without a line break: `isLast` takes that for a line as well.
    private static func lines(in bytes: [UInt8], isLast: Bool) -> (lines: [LogLine], consumed: Int) {
        var lines: [LogLine] = []
        var start = 0
        while start < bytes.count {
            let newline = bytes[start...].firstIndex(of: UInt8(ascii: "\n"))
            guard let end = newline ?? (isLast ? bytes.count : nil) else { break }
            let line = bytes[start..<end]
            if let timestamp = LogStamp.parse(line) {
                lines.append(LogLine(timestamp: timestamp, text: Array(line.dropFirst(LogStamp.length))))
            } else {
                // Not written by this driver; shown as it is.
                let last = lines.last?.timestamp ?? Timestamp(millisecondsSinceEpoch: 0)
                lines.append(LogLine(timestamp: last, text: Array(line.prefix(LogLine.maximumBytes))))
            }
            start = newline.map { $0 + 1 } ?? bytes.count
        }
        // A line longer than can be: a damaged file, passed over.
        return (lines, start == 0 && bytes.count >= chunk ? bytes.count : start)
    }

    /// Where the last `count` lines begin.
    private static func tail(_ count: Int, of log: LogFile, _ range: Range<Int64>) -> Int64 {
        guard count > 0 else { return range.upperBound }
        var missing = count
        var end = range.upperBound
        while end > range.lowerBound {
            let start = max(range.lowerBound, end - Int64(chunk))
            var bytes: [UInt8] = []
            // A chunk may lie in both files.
            while bytes.count < Int(end - start) {
                let more = log.read(at: start + Int64(bytes.count), count: Int(end - start) - bytes.count)
                guard !more.isEmpty else { return end }
                bytes += more
            }
            for index in bytes.indices.reversed() where bytes[index] == UInt8(ascii: "\n") {
                let position = start + Int64(index)
                // The break at the very end belongs to the last line.
                if position == range.upperBound - 1 { continue }
                missing -= 1
                if missing == 0 { return position + 1 }
            }
            end = start
        }
        return range.lowerBound
    }
}
