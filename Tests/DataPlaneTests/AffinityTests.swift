// SPDX-License-Identifier: MIT

import Model
import RuntimeContract
import Testing

@testable import DataPlane

@Suite("Requests without sessions that are kept together")
struct AffinityTests {
    /// Which of three servers answers.
    private func server(_ gateway: TestGateway, _ headers: [String], _ body: String = modernRequest()) async throws
        -> Substring
    {
        let answer = try await gateway.post(body, headers)
        #expect(answer.status == 200)
        return answer.body.split(separator: "stateless on ").last?.prefix(2) ?? ""
    }

    private func withAffinity(
        _ affinity: SessionAffinity, versions: [String] = [],
        _ body: @escaping @Sendable (TestGateway, [TestServer]) async throws -> Void
    ) async throws {
        let servers = (0..<3).map { TestServer("s\($0)") }
        try await withHTTPServer(servers[0].answer) { first in
            try await withHTTPServer(servers[1].answer) { second in
                try await withHTTPServer(servers[2].answer) { third in
                    try await withGateway(authenticator: TestAuthenticator()) { gateway in
                        let name = try #require(AdapterName("a"))
                        let endpoints = [first, second, third].enumerated().map { ordinal, port in
                            InstanceEndpoint(
                                id: InstanceID(workload: name.workload, ordinal: ordinal),
                                incarnation: Incarnation("i"),
                                endpoint: .tcp(host: "127.0.0.1", port: UInt16(port)), acceptsNewSessions: true)
                        }
                        gateway.plane.publish(
                            AdapterDirectory([
                                AdapterRoute(
                                    name: name, affinity: affinity, protocolVersions: versions,
                                    access: AccessPolicy(createdBy: "ada", requiredRoles: []))
                            ]),
                            EndpointTable([name.workload: endpoints]))
                        try await body(gateway, servers)
                    }
                }
            }
        }
    }

    @Test("checklist 22: by principal, by a header and by a parameter, each value has its place, and values spread")
    func keys() async throws {
        let cases: [(SessionAffinity, @Sendable (Int) -> [String])] = [
            (.principal, { ["Authorization: Bearer p\($0)"] }),
            (.header("x-conversation"), { ["Authorization: Bearer p", "X-Conversation:  c\($0) "] }),
            (.header("mcp-param-basket"), { ["Authorization: Bearer p", "Mcp-Param-Basket: b\($0)"] }),
        ]
        for (affinity, headers) in cases {
            try await withAffinity(affinity) { gateway, _ in
                var places: Set<Substring> = []
                for key in 0..<12 {
                    var seen: Set<Substring> = []
                    for _ in 0..<4 { seen.insert(try await self.server(gateway, modernHeaders() + headers(key))) }
                    #expect(seen.count == 1, "\(affinity) \(key): \(seen)")
                    places.formUnion(seen)
                }
                #expect(places.count == 3)
            }
        }
    }

    @Test("checklist 23: requests about one task meet on one instance, and all others go anywhere")
    func tasks() async throws {
        try await withAffinity(.tasks) { gateway, _ in
            let who = ["Authorization: Bearer p"]
            for task in ["t1", "t2"] {
                var seen: Set<Substring> = []
                for method in ["tasks/get", "tasks/update", "tasks/cancel", "tasks/get"] {
                    seen.insert(
                        try await self.server(
                            gateway, modernHeaders(method, name: task) + who,
                            modernRequest(method, params: #""taskId":"\#(task)","#)))
                }
                #expect(seen.count == 1)
            }
            var seen: Set<Substring> = []
            for _ in 0..<40 { seen.insert(try await self.server(gateway, modernHeaders() + who)) }
            #expect(seen.count == 3)
        }
    }

    @Test("checklist 20: without the header, or with two of it, and by default, requests go anywhere")
    func anywhere() async throws {
        for (affinity, headers) in [
            (SessionAffinity.none, ["X-Key: a"]), (.header("x-key"), []), (.header("x-key"), ["X-Key: a", "X-Key: b"]),
        ] {
            try await withAffinity(affinity) { gateway, _ in
                var seen: Set<Substring> = []
                for _ in 0..<40 {
                    seen.insert(try await self.server(gateway, modernHeaders() + headers + ["Authorization: Bearer p"]))
                }
                #expect(seen.count == 3)
            }
        }
    }

    @Test("when an instance goes, only its keys move")
    func rendezvous() throws {
        let workload = try #require(WorkloadID("a"))
        let candidates = (0..<4).map { ordinal in
            PlacementCandidate(
                endpoint: InstanceEndpoint(
                    id: InstanceID(workload: workload, ordinal: ordinal), incarnation: Incarnation("i"),
                    endpoint: .unix(path: "/x"), acceptsNewSessions: true),
                load: PlacementLoad())
        }
        var counts = [0, 0, 0, 0]
        for number in 0..<4000 {
            let key = Rendezvous.hash("key-\(number)".utf8)
            let all = try #require(Placement.choose(by: key, among: candidates)?.endpoint.id.ordinal)
            counts[all] += 1
            let fewer = try #require(Placement.choose(by: key, among: Array(candidates[..<3]))?.endpoint.id.ordinal)
            if all != 3 { #expect(fewer == all) }
        }
        #expect(counts.allSatisfy { (800...1200).contains($0) }, "\(counts)")
        // The same for ever, and in every gateway.
        #expect(Rendezvous.hash("a".utf8) == 0xAF63_DC4C_8601_EC8C)
    }

    @Test(
        "checklist 5, 3: a revision that only the server knows is passed on, and an older one is refused where it has none"
    )
    func revisions() async throws {
        let future = modernRequest().replacing("2026-07-28", with: "2027-01-01")
        let headers = [
            "MCP-Protocol-Version: 2027-01-01", "Mcp-Method: tools/call", "Mcp-Name: count", "Authorization: Bearer p",
        ]
        try await withAffinity(.none, versions: ["2026-07-28", "2027-01-01"]) { gateway, _ in
            #expect(try await gateway.post(future, headers).status == 200)
            let legacy = try await gateway.post(initializeRequest, ["Authorization: Bearer p"])
            #expect(legacy.status == 400)
            #expect(legacy.errorCode == -32020 || legacy.errorCode == -32022)
            #expect(try await gateway.send("GET", "/adapters/a/mcp", ["Authorization: Bearer p"]).status == 405)
            let sessions = try await gateway.post(toolCall(), ["Authorization: Bearer p", "Mcp-Session-Id: x"])
            #expect(sessions.status == 400)
        }
        try await withAffinity(.none) { gateway, _ in
            let answer = try await gateway.post(future, headers)
            #expect(answer.status == 400)
            #expect(answer.errorCode == -32022)
        }
    }
}
