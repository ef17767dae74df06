// SPDX-License-Identifier: MIT

public import Metrics
import Synchronization

/// Keeps metrics in memory and writes them down in the text format of Prometheus (version 0.0.4).
///
/// Series are made once and found again by label and dimensions; counting is one relaxed atomic operation. Recorders
/// become a summary without quantiles: `_count` and `_sum`; timers become a histogram.
public final class PrometheusRegistry: MetricsFactory {
    /// The one of this process, which swift-metrics sends everything to from its first use on.
    public static let shared: PrometheusRegistry = {
        let registry = PrometheusRegistry()
        MetricsSystem.bootstrap(registry)
        return registry
    }()

    private struct Key: Hashable {
        let label: String
        let dimensions: String
    }

    private struct State {
        var series: [Key: Series] = [:]
        var histograms: [Key: Histogram] = [:]
        var gauges: [@Sendable () -> Void] = []
    }

    private let state = Mutex(State())

    /// An empty registry.
    public init() {}

    /// Has `update` called before each ``text()``, to set what is not counted but looked at.
    public func beforeReading(_ update: @escaping @Sendable () -> Void) {
        state.withLock { $0.gauges.append(update) }
    }

    /// All series, ordered by name and dimensions.
    public func text() -> String {
        for update in state.withLock(\.gauges) { update() }
        let (series, histograms) = state.withLock { ($0.series, $0.histograms) }
        let lines =
            series.map {
                (key: $0.key, kind: $0.value.kind.rawValue, text: $0.value.text($0.key.label, $0.key.dimensions))
            }
            + histograms.map {
                (key: $0.key, kind: "histogram", text: $0.value.text($0.key.label, labels: $0.key.dimensions))
            }
        var text = ""
        var last = ""
        for line in lines.sorted(by: { ($0.key.label, $0.key.dimensions) < ($1.key.label, $1.key.dimensions) })
        where !line.text.isEmpty {
            if line.key.label != last {
                last = line.key.label
                if let name = MetricName(rawValue: last) { text += "# HELP \(last) \(name.help)\n" }
                text += "# TYPE \(last) \(line.kind)\n"
            }
            text += line.text
        }
        return text
    }

    // MARK: - MetricsFactory

    /// A counter.
    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        series(label, dimensions, .counter)
    }

    /// A gauge.
    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        series(label, dimensions, .gauge)
    }

    /// A summary, or a gauge where nothing is to be aggregated.
    public func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        series(label, dimensions, aggregate ? .summary : .gauge)
    }

    /// A histogram in seconds.
    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        let key = Self.key(label, dimensions)
        return state.withLock { state in
            if let histogram = state.histograms[key] { return histogram }
            let histogram = Histogram()
            state.histograms[key] = histogram
            return histogram
        }
    }

    /// Forgets a series.
    public func destroyCounter(_ handler: any CounterHandler) { forget(handler) }
    /// Forgets a series.
    public func destroyMeter(_ handler: any MeterHandler) { forget(handler) }
    /// Forgets a series.
    public func destroyRecorder(_ handler: any RecorderHandler) { forget(handler) }
    /// Forgets a series.
    public func destroyTimer(_ handler: any TimerHandler) {
        state.withLock { state in state.histograms = state.histograms.filter { $0.value !== handler } }
    }

    private func series(_ label: String, _ dimensions: [(String, String)], _ kind: Series.Kind) -> Series {
        let key = Self.key(label, dimensions)
        return state.withLock { state in
            if let series = state.series[key] { return series }
            let series = Series(kind)
            state.series[key] = series
            return series
        }
    }

    private static func key(_ label: String, _ dimensions: [(String, String)]) -> Key {
        let text = dimensions.map { "\(name($0.0))=\"\(escaped($0.1))\"" }.joined(separator: ",")
        return Key(label: name(label), dimensions: text)
    }

    private func forget(_ handler: AnyObject) {
        state.withLock { state in state.series = state.series.filter { $0.value !== handler } }
    }

    /// What is no character of a name becomes `_`.
    private static func name(_ text: String) -> String {
        String(
            text.enumerated().map { index, character in
                let isName =
                    character.isASCII && (character.isLetter || character == "_" || character.isNumber && index > 0)
                return isName ? character : "_"
            })
    }

    private static func escaped(_ text: String) -> String {
        text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
    }
}

/// One series, whose kind says what of it is written down.
private final class Series: CounterHandler, MeterHandler, RecorderHandler {
    enum Kind: String {
        case counter, gauge, summary
    }

    let kind: Kind
    private let whole = Atomic<Int64>(0)
    private let bits = Atomic<UInt64>(0)

    init(_ kind: Kind) { self.kind = kind }

    /// What a counter or a summary has counted.
    private var count: Int64 { whole.load(ordering: .relaxed) }

    /// The lines of the series called `name` with `dimensions`.
    func text(_ name: String, _ dimensions: String) -> String {
        let labels = dimensions.isEmpty ? "" : "{\(dimensions)}"
        return switch kind {
        case .counter, .gauge: "\(name)\(labels) \(value)\n"
        case .summary: "\(name)_count\(labels) \(count)\n\(name)_sum\(labels) \(value)\n"
        }
    }

    /// The value as Prometheus reads it.
    private var value: String {
        switch kind {
        case .counter: return String(count)
        case .gauge, .summary:
            let value = Double(bitPattern: bits.load(ordering: .relaxed))
            return Int64(exactly: value).map(String.init) ?? (value.isNaN ? "NaN" : "\(value)")
        }
    }

    func increment(by amount: Int64) { whole.add(amount, ordering: .relaxed) }
    func reset() { whole.store(0, ordering: .relaxed) }
    func set(_ value: Int64) { set(Double(value)) }
    func set(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }
    func increment(by amount: Double) { add(amount) }
    func decrement(by amount: Double) { add(-amount) }
    func record(_ value: Int64) { record(Double(value)) }

    func record(_ value: Double) {
        guard kind == .summary else { return set(value) }
        whole.add(1, ordering: .relaxed)
        add(value)
    }

    private func add(_ amount: Double) {
        var old = bits.load(ordering: .relaxed)
        while true {
            let new = (Double(bitPattern: old) + amount).bitPattern
            let (exchanged, seen) = bits.weakCompareExchange(expected: old, desired: new, ordering: .relaxed)
            if exchanged { return }
            old = seen
        }
    }
}
