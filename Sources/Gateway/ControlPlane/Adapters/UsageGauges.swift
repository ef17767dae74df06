// SPDX-License-Identifier: MIT

internal import Metrics
internal import Observability
internal import RuntimeContract
internal import Synchronization

/// What the instances use, measured when somebody reads the metrics: once a second at most, whoever reads.
final class UsageGauges: Sendable {
    private struct Gauges {
        let resident: Gauge
        let processor: Gauge
        let processes: Gauge

        init(_ instance: InstanceID) {
            let own = [("adapter", "\(instance.workload)"), ("instance", "\(instance.ordinal)")]
            resident = Gauge(label: MetricName.instanceResidentBytes.rawValue, dimensions: own)
            processor = Gauge(label: MetricName.instanceProcessorSeconds.rawValue, dimensions: own)
            processes = Gauge(label: MetricName.instanceProcesses.rawValue, dimensions: own)
        }

        func destroy() {
            for gauge in [resident, processor, processes] { gauge.destroy() }
        }
    }

    private struct State {
        var gauges: [InstanceID: Gauges] = [:]
        var measuredAt: ContinuousClock.Instant?
    }

    private let driver: any RuntimeDriver
    private let projection: Projection
    private let state = Mutex(State())

    init(driver: any RuntimeDriver, projection: Projection) {
        self.driver = driver
        self.projection = projection
    }

    /// Measures, unless that was done within the last second.
    func update() async {
        let isDue = state.withLock { state in
            let now = ContinuousClock.now
            if let last = state.measuredAt, now - last < .seconds(1) { return false }
            state.measuredAt = now
            return true
        }
        forget { !projection.wants($0.workload) }
        guard isDue else { return }
        var usage: [InstanceID: InstanceUsage] = [:]
        for id in projection.snapshot.workloads.keys where projection.wants(id) {
            guard let status = try? await driver.status(of: id) else { continue }
            // Of two lives of one instance both count.
            for instance in status.instances {
                guard let used = instance.usage else { continue }
                let before = usage[instance.id]
                usage[instance.id] = InstanceUsage(
                    residentBytes: used.residentBytes + (before?.residentBytes ?? 0),
                    cpuTime: used.cpuTime + (before?.cpuTime ?? .zero),
                    processes: used.processes + (before?.processes ?? 0))
            }
        }
        show(usage)
    }

    private func show(_ usage: [InstanceID: InstanceUsage]) {
        state.withLock { state in
            for (id, used) in usage {
                let gauges = state.gauges[id] ?? Gauges(id)
                state.gauges[id] = gauges
                gauges.resident.record(used.residentBytes)
                gauges.processor.record(used.cpuTime / .seconds(1))
                gauges.processes.record(used.processes)
            }
        }
        forget { usage[$0] == nil }
    }

    private func forget(where isGone: (InstanceID) -> Bool) {
        let gone = state.withLock { state in
            let gone = state.gauges.filter { isGone($0.key) }
            for id in gone.keys { state.gauges[id] = nil }
            return gone.values
        }
        for gauges in gone { gauges.destroy() }
    }
}
