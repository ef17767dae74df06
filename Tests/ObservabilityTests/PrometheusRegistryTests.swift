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
        let timer = Timer(label: "c_seconds", factory: registry)
        timer.recordMilliseconds(1500)
        timer.recordSeconds(2)
        #expect(
            registry.text() == """
                # TYPE b_gauge gauge
                b_gauge 2.5
                # TYPE c_seconds summary
                c_seconds_count 2
                c_seconds_sum 3.5
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

    @Test("names begin with the product, and those that only grow end with total")
    func names() {
        for name in MetricName.allCases {
            #expect(name.rawValue.hasPrefix("mcp_gateway_"))
            #expect(name.rawValue.utf8.allSatisfy { $0 == 95 || (97...122).contains($0) })
        }
    }
}
