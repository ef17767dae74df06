// SPDX-License-Identifier: MIT

import RuntimeContract
import Synchronization

/// Turns what an instance writes on its two streams into stamped lines of one log.
final class LogWriter: Sendable {
    /// Which stream bytes come from.
    enum Source: Int, CaseIterable {
        case standardOutput
        case standardError
    }

    let log: LogFile
    private let splitters = Mutex(
        [LineSplitter](repeating: LineSplitter(maximum: LogLine.maximumBytes), count: Source.allCases.count))

    init(_ log: LogFile) {
        self.log = log
    }

    /// Takes what was read from one of the streams.
    func receive(_ bytes: ArraySlice<UInt8>, from source: Source) {
        write { lines, splitters in splitters[source.rawValue].feed(bytes) { lines.append($0) } }
    }

    /// Takes the end of both streams, and ends the log.
    func finish() {
        write { lines, splitters in
            for index in splitters.indices { splitters[index].finish { lines.append($0) } }
        }
        log.end()
    }

    private func write(_ split: (inout Lines, inout [LineSplitter]) -> Void) {
        var lines = Lines(stamp: LogStamp.format(.now))
        splitters.withLock { split(&lines, &$0) }
        if lines.count > 0 { log.append(lines.bytes, lines: lines.count) }
    }

    /// Lines that arrived at the same moment.
    private struct Lines {
        let stamp: [UInt8]
        var bytes: [UInt8] = []
        var count = 0

        init(stamp: [UInt8]) {
            self.stamp = stamp
        }

        mutating func append(_ text: ArraySlice<UInt8>) {
            bytes += stamp
            bytes += text
            bytes.append(UInt8(ascii: "\n"))
            count += 1
        }
    }
}
