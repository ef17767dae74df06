// SPDX-License-Identifier: MIT

import Metrics
import Observability
import Testing

@Suite("Metrics in the text format of Prometheus")
struct PrometheusRegistryTests {
    @Test("counters, gauges and summaries are written with their type, ordered, and counted once per series")
    func text() {
        let registry = PrometheusRegistry()
        for _ in 0..<2 {
            Counter(
                label: MetricName.retries.rawValue, dimensions: [("adapter", "b")], factory: registry
            ).increment(by: 2)
        }
        Counter(label: MetricName.retries.rawValue, dimensions: [("adapter", "a\"\\\n")], factory: registry).increment()
        let gauge = Gauge(label: "b.gauge", factory: registry)
        registry.beforeReading { gauge.record(2.5) }
        let recorder = Recorder(label: "c_bytes", factory: registry)
        recorder.record(1.5)
        recorder.record(2)
        #expect(
            registry.text() == """
                # TYPE b_gauge gauge
                b_gauge 2.5
                # TYPE c_bytes summary
                c_bytes_count 2
                c_bytes_sum 3.5
                # HELP mcp_gateway_retries_total Requests that were sent again
                # TYPE mcp_gateway_retries_total counter
                mcp_gateway_retries_total{adapter="a\\"\\\\\\n"} 1
                mcp_gateway_retries_total{adapter="b"} 4

                """)
    }

    @Test("a series that is destroyed is written no more, and begins anew with 0")
    func destruction() {
        let registry = PrometheusRegistry()
        let counter = Counter(label: "x_total", factory: registry)
        counter.increment()
        counter.destroy()
        #expect(registry.text().isEmpty)
        Counter(label: "x_total", factory: registry).increment()
        #expect(registry.text() == "# TYPE x_total counter\nx_total 1\n")
    }

    @Test("durations fall into buckets that each hold those below them, and stand there from the first one on")
    func histogram() {
        let registry = PrometheusRegistry()
        let timer = Timer(label: "d_seconds", dimensions: [("adapter", "a")], factory: registry)
        #expect(registry.text().isEmpty)
        timer.recordNanoseconds(-5)
        timer.recordMilliseconds(1)
        timer.recordNanoseconds(1_000_001)
        timer.recordSeconds(400)
        let text = registry.text()
        #expect(text.hasPrefix("# TYPE d_seconds histogram\nd_seconds_bucket{adapter=\"a\",le=\"0.0005\"} 1\n"))
        for (bound, count) in [("0.001", 2), ("0.002", 3), ("300.0", 3), ("+Inf", 4)] {
            #expect(text.contains("d_seconds_bucket{adapter=\"a\",le=\"\(bound)\"} \(count)\n"), "\(bound)")
        }
        #expect(text.hasSuffix("d_seconds_sum{adapter=\"a\"} 400.002000001\nd_seconds_count{adapter=\"a\"} 4\n"))
        let plain = Timer(label: "e_seconds", factory: registry)
        plain.recordSeconds(1)
        #expect(registry.text().contains("e_seconds_bucket{le=\"1.0\"} 1\n"))
        timer.destroy()
        plain.destroy()
        #expect(registry.text().isEmpty)
    }

    @Test("names begin with the product, and those that only grow end with total")
    func names() {
        for name in MetricName.allCases {
            #expect(name.rawValue.hasPrefix("mcp_gateway_"))
            #expect(name.rawValue.utf8.allSatisfy { $0 == 95 || (97...122).contains($0) })
        }
    }
}
