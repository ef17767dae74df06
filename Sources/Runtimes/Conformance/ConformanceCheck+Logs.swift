// SPDX-License-Identifier: MIT

import RuntimeContract

extension ConformanceCheck {
    static let logChecks: [ConformanceCheck] = [
        ConformanceCheck("a log holds every line in order, with its time") { context in
            let start = Timestamp.now
            try await context.applyAndWait(context.spec())
            let lines = try await context.lines(LogOptions(), atLeast: ConformanceProgram.lineCount)
            try expect(lines.map(\.string) == Self.lines(1...), "all lines: \(lines.map(\.string))")
            let times = lines.map(\.timestamp)
            try expect(times == times.sorted(), "times go up: \(times)")
            // A platform's clock may be another machine's.
            let slack: Int64 = 5_000
            try expect(
                times.allSatisfy { $0.millisecondsSinceEpoch >= start.millisecondsSinceEpoch - slack },
                "times are those of writing: \(times)")
        },
        ConformanceCheck("the tail is exact") { context in
            try await context.applyAndWait(context.spec())
            _ = try await context.lines(LogOptions(), atLeast: ConformanceProgram.lineCount)
            for count in [0, 1, 7, ConformanceProgram.lineCount, 1000] {
                let lines = try await context.lines(LogOptions(tailLines: count)).map(\.string)
                let first = max(1, ConformanceProgram.lineCount - count + 1)
                let expected = count == 0 ? [] : Self.lines(first...)
                try expect(lines == expected, "the last \(count): \(lines)")
            }
        },
        ConformanceCheck("lines older than asked for are left out") { context in
            try await context.applyAndWait(context.spec())
            _ = try await context.lines(LogOptions(), atLeast: ConformanceProgram.lineCount)
            let all = try await context.lines(LogOptions(since: .seconds(3600))).count
            try expect(all == ConformanceProgram.lineCount, "all are of the last hour: \(all)")
            let driver = context.driver
            try await context.withDeadline("lines grow older") {
                let options = LogOptions(since: .milliseconds(1))
                while true {
                    let stream = try await driver.logs(of: context.instance(0), options: options)
                    if try await stream.first(where: { _ in true }) == nil { return }
                }
            }
        },
        ConformanceCheck("a follower sees what is there, and ends when the instance has ended") { context in
            let spec = context.spec()
            try await context.applyAndWait(spec)
            let stream = try await context.driver.logs(of: context.instance(0), options: LogOptions(follow: true))
            let driver = context.driver
            try await context.withDeadline("the log ends") {
                var lines: [String] = []
                var hasStopped = false
                for try await batch in stream {
                    lines += batch.map(\.string)
                    guard lines.count >= ConformanceProgram.lineCount, !hasStopped else { continue }
                    hasStopped = true
                    _ = try await driver.apply(context.spec(generation: 2, replicas: 0))
                }
                try expect(lines.starts(with: Self.lines(1...)), "all lines: \(lines)")
                try expect(hasStopped, "it did not end before")
            }
        },
        ConformanceCheck("a follower that leaves hinders nobody") { context in
            try await context.applyAndWait(context.spec())
            for _ in 0..<3 {
                let stream = try await context.driver.logs(of: context.instance(0), options: LogOptions(follow: true))
                let reading = Task {
                    for try await _ in stream {}
                }
                // Cancelled in the next line; a reader that nobody waits for must end.
                reading.cancel()
                _ = await context.withResult { try await context.value(of: reading, "the reader ends") }
            }
            _ = try await context.lines(LogOptions(), atLeast: ConformanceProgram.lineCount)
        },
        ConformanceCheck("a line of 1 MiB stays bounded, and the next one is whole") { context in
            try await context.applyAndWait(context.spec(.shoutingServer))
            let lines = try await context.lines(LogOptions(), atLeast: 2)
            let longest = lines.map(\.text.count).max() ?? 0
            try expect(longest <= LogLine.maximumBytes, "at most \(LogLine.maximumBytes) bytes, not \(longest)")
            try expect(longest > 1000, "its beginning is kept: \(longest) bytes")
            try expect(lines.last?.string == "after", "the line after it: \(String(describing: lines.last?.string))")
        },
        ConformanceCheck("the log of an instance that does not exist is not found") { context in
            try await context.expectError(.notFound, "an unknown workload") {
                _ = try await context.driver.logs(of: context.instance(0), options: LogOptions())
            }
            try await context.applyAndWait(context.spec())
            try await context.expectError(.notFound, "an unknown ordinal") {
                _ = try await context.driver.logs(of: context.instance(5), options: LogOptions())
            }
        },
        ConformanceCheck("the log before a crash is the previous one") { context in
            let before = try await context.applyAndWait(context.spec())
            _ = try await context.lines(LogOptions(), atLeast: ConformanceProgram.lineCount)
            try await context.expectError(.notFound, "there is no previous log yet") {
                _ = try await context.driver.logs(of: context.instance(0), options: LogOptions(previous: true))
            }
            guard context.driver.capabilities.keepsPreviousLogs else { return }
            try await context.harness.kill(context.instance(0))
            try await context.eventually("it is back") { status in
                status.readyReplicas == 1 && status.incarnations != before.incarnations
            }
            let lines = try await context.lines(LogOptions(previous: true)).map(\.string)
            try expect(lines == Self.lines(1...), "the lines of the first life: \(lines)")
        },
    ]

    private static func lines(_ range: PartialRangeFrom<Int>) -> [String] {
        (range.lowerBound...ConformanceProgram.lineCount).map { "line \($0)" }
    }
}

extension LogLine {
    fileprivate var string: String { String(decoding: text, as: UTF8.self) }
}

extension ConformanceContext {
    /// Reads a part of the log of instance 0; again and again until there are so many lines.
    fileprivate func lines(_ options: LogOptions, atLeast count: Int = 0, line: UInt = #line) async throws -> [LogLine]
    {
        let driver = driver
        let instance = instance(0)
        return try await withDeadline("\(count) lines", line: line) {
            while true {
                var lines: [LogLine] = []
                for try await batch in try await driver.logs(of: instance, options: options) { lines += batch }
                if lines.count >= count { return lines }
                await Task.yield()
            }
        }
    }

    fileprivate func withResult<T>(_ body: () async throws -> T) async -> Result<T, any Error> {
        do { return .success(try await body()) } catch { return .failure(error) }
    }
}
