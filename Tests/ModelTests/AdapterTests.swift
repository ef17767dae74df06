// SPDX-License-Identifier: MIT

import Model
import RuntimeContract
import Testing

@Suite("Adapter")
struct AdapterTests {
    private func adapter(_ spec: AdapterSpec) throws -> Adapter {
        Adapter(
            name: try #require(AdapterName("a")), uid: 1, spec: spec, createdBy: "ada",
            createdAt: Timestamp(millisecondsSinceEpoch: 1000), lastUpdatedAt: Timestamp(millisecondsSinceEpoch: 1000))
    }

    private let image = AdapterSpec(source: .image(name: "i", version: "1"))

    @Test("a change grows the generation and changes the entity tag; no change changes nothing")
    func generations() throws {
        let first = try adapter(image)
        var spec = image
        spec.description = "other"
        let second = first.changed(to: spec, at: Timestamp(millisecondsSinceEpoch: 5))
        #expect(second.generation == 2)
        #expect(second.etag != first.etag)
        #expect(second.lastUpdatedAt == first.lastUpdatedAt, "a clock that was set back never shows")
        #expect(first.changed(to: image, at: Timestamp(millisecondsSinceEpoch: 5000)) == first)
    }

    @Test("texts that differ in their bytes only are a change")
    func bytes() throws {
        var composed = image
        composed.environmentVariables = ["A": "\u{E9}"]
        var decomposed = image
        decomposed.environmentVariables = ["A": "e\u{301}"]
        #expect(!composed.isIdentical(to: decomposed))
    }

    @Test("the workload carries what the driver needs")
    func workload() throws {
        var spec = image
        spec.transport = .sse
        spec.ssePath = "/events"
        spec.session.drainTimeoutSeconds = 9
        spec.gracePeriodSeconds = 7
        let workload = try adapter(spec).workload()
        #expect(workload.source == .image(name: "i", version: "1"))
        #expect(workload.path == "/events")
        #expect(workload.drainTime == .seconds(9))
        #expect(workload.gracePeriod == .seconds(7))
        #expect(workload.generation == 1)
    }

    @Test("servers of others are watched at their addresses, and the path of the URL is that of the route")
    func remote() throws {
        let urls = try [RemoteURL("http://a.example:8080/x/mcp"), RemoteURL("http://[::1]/x/mcp")]
        var adapter = try adapter(AdapterSpec(source: .remote(urls), replicaCount: 2))
        #expect(
            adapter.workload().source
                == .remote([RemoteEndpoint(host: "a.example", port: 8080), RemoteEndpoint(host: "::1", port: 80)]))
        #expect(adapter.workload().path == "/x/mcp")
        #expect(adapter.route().path == "/x/mcp")
        #expect(adapter.route().authorities == ["a.example:8080", "[::1]"])
        adapter.spec.transport = .sse
        #expect(adapter.route().ssePath == "/x/mcp")
        #expect(adapter.route().path == "/mcp")
        adapter.spec.source = .remote([try RemoteURL("http://h")])
        #expect(adapter.route().ssePath == "/sse")
    }

    @Test("what is known of an image holds where the adapter does not say otherwise")
    func defaults() throws {
        let defaults = ImageDefaults(transport: .stdio, path: "/known")
        #expect(try adapter(image).route(defaults).transport == .stdio)
        #expect(try adapter(image).workload(defaults).path == "/known")
        var spec = image
        spec.transport = .streamableHTTP
        spec.path = "/said"
        #expect(try adapter(spec).route(defaults).transport == .streamableHTTP)
        #expect(try adapter(spec).route(defaults).path == "/said")
    }

    @Test(
        "moments are written as RFC 3339",
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (951_782_400_123, "2000-02-29T00:00:00.123Z"),
            (1_785_231_000_125, "2026-07-28T09:30:00.125Z"), (-1, "1969-12-31T23:59:59.999Z"),
            (4_107_542_399_999, "2100-02-28T23:59:59.999Z"),
        ] as [(Int64, String)])
    func moments(milliseconds: Int64, text: String) {
        #expect(Timestamp(millisecondsSinceEpoch: milliseconds).iso8601 == text)
    }
}
