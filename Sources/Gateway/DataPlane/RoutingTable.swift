// SPDX-License-Identifier: MIT

import MCPProtocol
import Model
import RuntimeContract

/// All that routing reads: an immutable snapshot, made once and handed to every loop.
final class RoutingTable: Sendable {
    /// The adapters by name.
    let adapters: [String: AdapterTarget]

    /// Whether anything was published yet: before that, an adapter that is not here may exist all the same.
    let isKnown: Bool

    /// Before anything is known.
    static let empty = RoutingTable(adapters: [:], isKnown: false)

    private init(adapters: [String: AdapterTarget], isKnown: Bool) {
        self.adapters = adapters
        self.isKnown = isKnown
    }

    /// Puts together who the adapters are and where their instances answer.
    ///
    /// - Parameter last: The table before this one, made with the same loads and meters; of a thousand adapters few have
    ///   changed, and those that have not are taken over as they are.
    convenience init(
        _ directory: AdapterDirectory, _ endpoints: EndpointTable, after last: RoutingTable = .empty,
        loads: PlacementLoads, meters: AdapterMetersTable
    ) {
        var adapters: [String: AdapterTarget] = [:]
        adapters.reserveCapacity(directory.routes.count)
        for route in directory.routes.values {
            let isOverBudget = directory.overBudget.contains(route.name)
            if let before = last.adapters[route.name.rawValue], before.isOverBudget == isOverBudget,
                before.stands(for: route, in: endpoints)
            {
                adapters[route.name.rawValue] = before
                continue
            }
            let own = meters[route.name.rawValue]
            let candidates = loads.candidates(of: route.name.workload, in: endpoints, meters: own)
            adapters[route.name.rawValue] = AdapterTarget(
                route, candidates, meters: own, isKnown: endpoints.knows(route.name.workload),
                expectsInstances: endpoints.expectsInstances(of: route.name.workload), isOverBudget: isOverBudget)
        }
        self.init(adapters: adapters, isKnown: true)
    }
}

/// An adapter and its instances.
final class AdapterTarget: Sendable {
    /// Who it is.
    let route: AdapterRoute
    /// Its name.
    let name: String
    /// The instances to place on, in the order of ``instances``.
    let candidates: [PlacementCandidate]
    /// The instances that can be reached.
    let instances: [InstanceTarget]
    /// What is counted for it.
    let meters: AdapterMeters
    /// What is known of its server's revisions.
    let policy: RoutePolicy
    /// The name of the header field that keeps requests together, in lower case; empty for none.
    let affinityField: [UInt8]
    /// The field lines that requests to its server have besides the client's.
    let secretLines: [UInt8]
    /// Their names in lower case: what the client sends under these does not pass.
    let secretNames: [[UInt8]]
    /// Whether the runtime has said anything of it.
    let isKnown: Bool
    /// Whether an instance is being started.
    let expectsInstances: Bool
    /// Whether none can be started for now, for want of room (``AdapterDirectory/overBudget``).
    let isOverBudget: Bool

    init(
        _ route: AdapterRoute, _ candidates: [PlacementCandidate], meters: AdapterMeters, isKnown: Bool,
        expectsInstances: Bool, isOverBudget: Bool
    ) {
        self.isKnown = isKnown
        self.isOverBudget = isOverBudget
        self.meters = meters
        self.route = route
        self.expectsInstances = expectsInstances
        name = route.name.rawValue
        affinityField = if case .header(let name) = route.affinity { Array(name.utf8) } else { [] }
        let secrets = route.secretHeaders.sorted { $0.key < $1.key }
        secretLines = secrets.flatMap { Array("\($0.key): \($0.value.exposed)\r\n".utf8) }
        secretNames = secrets.map { Array($0.key.lowercased().utf8) }
        let known = route.protocolVersions.map { ($0, ProtocolRevision(rawValue: $0)) }
        policy = RoutePolicy(
            isModernOnly: !known.isEmpty && known.allSatisfy { $0.1?.era != .legacy },
            claimedRevisions: Set(known.filter { $0.1 == nil }.map(\.0)))
        self.candidates = candidates
        instances = candidates.map { InstanceTarget($0, route) }
    }

    /// Whether a target made of `route` and `endpoints` would be the same.
    func stands(for route: AdapterRoute, in endpoints: EndpointTable) -> Bool {
        let workload = route.name.workload
        return self.route == route && isKnown == endpoints.knows(workload)
            && expectsInstances == endpoints.expectsInstances(of: workload)
            && candidates.lazy.map(\.endpoint).elementsEqual(endpoints.instances[workload] ?? [])
    }

    /// The instance that a session is bound to, if that life of it still goes on.
    func instance(of binding: SessionBinding) -> InstanceTarget? {
        for instance in instances
        where instance.ordinal == binding.ordinal && instance.digest == binding.incarnation {
            return instance
        }
        return nil
    }

    /// The instance that was chosen from ``candidates``.
    func instance(_ candidate: PlacementCandidate) -> InstanceTarget? {
        instances.first { $0.load === candidate.load }
    }
}

/// An instance that can be reached.
final class InstanceTarget: Sendable {
    /// Which one, and where.
    let endpoint: InstanceEndpoint
    /// Its ordinal, as session ids have it.
    let ordinal: UInt32
    /// Its incarnation, as session ids have it.
    let digest: IncarnationDigest
    /// How busy it is.
    let load: PlacementLoad
    /// What the `Host` header of requests to it says.
    let host: [UInt8]
    /// The request line of a POST to the server's MCP endpoint, and its `Host` line.
    let postLines: [UInt8]

    init(_ candidate: PlacementCandidate, _ route: AdapterRoute) {
        endpoint = candidate.endpoint
        ordinal = UInt32(clamping: candidate.endpoint.id.ordinal)
        digest = IncarnationDigest(candidate.endpoint.incarnation.rawValue)
        load = candidate.load
        // A Unix socket has no name; servers that check the host expect a loopback one.
        host =
            switch candidate.endpoint.endpoint {
            case .tcp, .tls:
                route.authorities.indices.contains(candidate.endpoint.id.ordinal)
                    ? Array(route.authorities[candidate.endpoint.id.ordinal].utf8)
                    : Array("\(candidate.endpoint.endpoint)".utf8)
            case .unix: Array("localhost".utf8)
            }
        postLines = Array("POST \(route.path) HTTP/1.1\r\nHost: ".utf8) + host + Array("\r\n".utf8)
    }
}
