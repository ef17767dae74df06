// SPDX-License-Identifier: MIT

internal import Glibc
internal import RuntimeContract

/// Reads an instance's log for one reader: first what there is, then, if wanted, what comes.
actor LogReader {
    private let log: InstanceLog
    private let options: LogOptions
    private let oldest: Timestamp?
    private var changes: AsyncStream<Void>.Iterator?
    private var hasBegun = false
    private var descriptor: Int32 = -1
    private var epoch = 0
    private var partial: [UInt8] = []

    init(_ log: InstanceLog, _ options: LogOptions) {
        self.log = log
        self.options = options
        oldest = options.since.map { since in
            let milliseconds = since.components.seconds * 1000 + since.components.attoseconds / 1_000_000_000_000_000
            return Timestamp(millisecondsSinceEpoch: Timestamp.now.millisecondsSinceEpoch - milliseconds)
        }
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// The next lines; `nil` at the end.
    func next() async -> [LogLine]? {
        if !hasBegun {
            hasBegun = true
            // Watched before it is read, so that nothing falls in between.
            if options.follow { changes = log.changes().makeAsyncIterator() }
            let lines = existing()
            if !lines.isEmpty { return lines }
        }
        guard options.follow else { return nil }
        while !Task.isCancelled {
            let lines = appended()
            if !lines.isEmpty { return lines }
            guard var iterator = changes, await iterator.next(isolation: self) != nil else {
                changes = nil
                let rest = appended()
                return rest.isEmpty ? nil : rest
            }
            changes = iterator
        }
        return nil
    }

    /// What was written so far, less what is too old or too much.
    private func existing() -> [LogLine] {
        let part: InstanceLog.Part = options.previous ? .previous : .current
        var lines = Self.lines(Self.contents(log.path(part, rotated: true)))
        epoch = log.epoch
        if options.follow, !options.previous {
            open()
            lines += readOpen()
        } else {
            lines += Self.lines(Self.contents(log.path(part)))
        }
        if let oldest { lines.removeAll { $0.timestamp < oldest } }
        if let tail = options.tailLines, lines.count > tail { lines.removeFirst(lines.count - tail) }
        return lines
    }

    private func appended() -> [LogLine] {
        var lines = readOpen()
        let newest = log.epoch
        if newest != epoch {
            // The file began anew after its end was read: nothing is lost but what came in more than one rotation.
            lines += readOpen()
            epoch = newest
            open()
            lines += readOpen()
        }
        return lines
    }

    private func open() {
        if descriptor >= 0 { close(descriptor) }
        descriptor = Glibc.open(log.path(.current), O_RDONLY | O_CLOEXEC)
        partial = []
    }

    private func readOpen() -> [LogLine] {
        guard descriptor >= 0 else { return [] }
        var bytes = partial
        Self.readAll(descriptor, into: &bytes)
        guard let end = bytes.lastIndex(of: UInt8(ascii: "\n")) else {
            partial = bytes
            return []
        }
        partial = Array(bytes[(end + 1)...])
        return Self.lines(bytes[...end])
    }

    private static func contents(_ path: String) -> [UInt8] {
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return [] }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        readAll(descriptor, into: &bytes)
        return bytes
    }

    private static func readAll(_ descriptor: Int32, into bytes: inout [UInt8]) {
        var buffer = [UInt8](repeating: 0, count: 256 << 10)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            if count > 0 {
                bytes += buffer[..<count]
            } else if count == 0 || errno != EINTR {
                return
            }
        }
    }

    private static func lines(_ bytes: some Collection<UInt8>) -> [LogLine] {
        bytes.split(separator: UInt8(ascii: "\n")).compactMap { line in
            guard let space = line.firstIndex(of: UInt8(ascii: " ")),
                let time = Int64(String(decoding: line[..<space], as: UTF8.self))
            else { return nil }
            return LogLine(
                timestamp: Timestamp(millisecondsSinceEpoch: time), text: Array(line[line.index(after: space)...]))
        }
    }
}
