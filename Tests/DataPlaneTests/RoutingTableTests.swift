// SPDX-License-Identifier: MIT

import Model
import RuntimeContract
import Testing

@testable import DataPlane

@Suite("The routing table")
struct RoutingTableTests {
    private let loads = PlacementLoads()
    private let meters = AdapterMetersTable()
    private let names: [AdapterName]

    init() throws {
        names = try ["one", "two", "three"].map { try #require(AdapterName($0)) }
    }

    private func directory(path: String = "/mcp") -> AdapterDirectory {
        var directory = AdapterDirectory(
            names.map { AdapterRoute(name: $0, access: AccessPolicy(createdBy: "me", requiredRoles: [])) })
        directory.routes[names[0]]?.path = path
        return directory
    }

    private func endpoints(accepts: Bool = true, incarnation: String = "1") -> EndpointTable {
        var table = EndpointTable()
        for (index, name) in names.enumerated() {
            table.instances[name.workload] = [
                InstanceEndpoint(
                    id: InstanceID(workload: name.workload, ordinal: 0),
                    incarnation: Incarnation(index == 1 ? incarnation : "1"),
                    endpoint: .unix(path: "/run/\(index)"), acceptsNewSessions: index == 1 ? accepts : true)
            ]
        }
        return table
    }

    private func table(
        _ directory: AdapterDirectory, _ endpoints: EndpointTable, after last: RoutingTable = .empty
    ) -> RoutingTable {
        RoutingTable(directory, endpoints, after: last, loads: loads, meters: meters)
    }

    /// The adapters of which `second` has the very same targets as `first`.
    private func kept(_ first: RoutingTable, _ second: RoutingTable) -> Set<String> {
        Set(second.adapters.filter { first.adapters[$0.key] === $0.value }.keys)
    }

    @Test("adapters that have not changed are taken over as they are")
    func unchanged() {
        let first = table(directory(), endpoints())
        #expect(kept(first, table(directory(), endpoints(), after: first)) == ["one", "two", "three"])
    }

    @Test("what has changed is made anew, and nothing else")
    func changed() throws {
        let first = table(directory(), endpoints())
        let path = table(directory(path: "/other"), endpoints(), after: first)
        #expect(kept(first, path) == ["two", "three"] && path.adapters["one"]?.route.path == "/other")

        let cordoned = table(directory(), endpoints(accepts: false), after: first)
        #expect(kept(first, cordoned) == ["one", "three"])
        #expect(cordoned.adapters["two"]?.candidates.map(\.endpoint.acceptsNewSessions) == [false])

        let restarted = table(directory(), endpoints(incarnation: "2"), after: first)
        #expect(kept(first, restarted) == ["one", "three"])

        var starting = endpoints()
        starting.starting = [names[2].workload]
        #expect(kept(first, table(directory(), starting, after: first)) == ["one", "two"])

        var unknown = endpoints()
        unknown.instances[names[0].workload] = nil
        let without = table(directory(), unknown, after: first)
        #expect(kept(first, without) == ["two", "three"] && without.adapters["one"]?.instances.isEmpty == true)
    }

    @Test("an adapter that is gone is not in it, and how busy the others are is kept")
    func gone() throws {
        let first = table(directory(), endpoints())
        let load = try #require(first.adapters["two"]?.candidates.first?.load)
        var fewer = directory()
        fewer.routes[names[0]] = nil
        let second = table(fewer, endpoints(accepts: false), after: first)
        #expect(Set(second.adapters.keys) == ["two", "three"])
        #expect(second.adapters["two"]?.candidates.first?.load === load)
    }

    @Test("a life is lost with its instance or its incarnation, and not with readiness")
    func lives() {
        let first = endpoints()
        #expect(!first.hasLostLives(since: first) && !first.hasLostLives(since: EndpointTable()))
        #expect(!endpoints(accepts: false).hasLostLives(since: first))
        #expect(endpoints(incarnation: "2").hasLostLives(since: first))
        var fewer = first
        fewer.instances[names[0].workload] = []
        #expect(fewer.hasLostLives(since: first) && !first.hasLostLives(since: fewer))
        fewer.instances[names[0].workload] = nil
        #expect(fewer.hasLostLives(since: first) && !first.hasLostLives(since: fewer))
        // An instance that is renewed before its old life has ended has both for a while.
        var both = first
        both.instances[names[1].workload]? += endpoints(incarnation: "2").instances[names[1].workload] ?? []
        #expect(!both.hasLostLives(since: first) && endpoints(incarnation: "2").hasLostLives(since: both))
    }
}
