// SPDX-License-Identifier: MIT

import Metrics
import Synchronization

/// How long things took, counted in buckets: a histogram of Prometheus in seconds.
///
/// Recording is two relaxed atomic additions, and a walk to the bucket.
final class Histogram: TimerHandler {
    /// Where buckets end, in nanoseconds: those that OpenTelemetry names for operations of MCP (10 ms to 300 s), thinned out, and
    /// smaller ones, since a gateway adds less than a millisecond.
    static let bounds: [Int64] = [
        500_000, 1_000_000, 2_000_000, 5_000_000, 10_000_000, 20_000_000, 50_000_000, 100_000_000, 200_000_000,
        500_000_000,
        1_000_000_000, 2_000_000_000, 5_000_000_000, 10_000_000_000, 30_000_000_000, 60_000_000_000, 300_000_000_000,
    ]

    private final class Bucket: Sendable {
        let count = Atomic<Int64>(0)
    }

    /// One more than there are bounds.
    private let buckets = (0...bounds.count).map { _ in Bucket() }
    private let sum = Atomic<Int64>(0)

    func recordNanoseconds(_ duration: Int64) {
        let duration = max(0, duration)
        var index = 0
        while index < Self.bounds.count, duration > Self.bounds[index] { index += 1 }
        buckets[index].count.add(1, ordering: .relaxed)
        sum.add(duration, ordering: .relaxed)
    }

    /// The lines of the series called `name` with `labels`; none before anything was recorded, since there may be thousands.
    func text(_ name: String, labels: String) -> String {
        let counts = buckets.map { $0.count.load(ordering: .relaxed) }
        guard counts.contains(where: { $0 > 0 }) else { return "" }
        var text = ""
        var total: Int64 = 0
        let separator = labels.isEmpty ? "" : ","
        for (index, count) in counts.enumerated() {
            total += count
            let bound = index < Self.bounds.count ? Self.seconds(Self.bounds[index]) : "+Inf"
            text += "\(name)_bucket{\(labels)\(separator)le=\"\(bound)\"} \(total)\n"
        }
        let braced = labels.isEmpty ? "" : "{\(labels)}"
        return text
            + "\(name)_sum\(braced) \(Self.seconds(sum.load(ordering: .relaxed)))\n\(name)_count\(braced) \(total)\n"
    }

    private static func seconds(_ nanoseconds: Int64) -> String { "\(Double(nanoseconds) / 1_000_000_000)" }
}
