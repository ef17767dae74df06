// SPDX-License-Identifier: MIT

import JSON
import RuntimeContract
import Testing

@testable import KubernetesRuntime

@Suite("The gateways of a namespace")
struct GatewayPeersTests {
    private static let noon = Timestamp(millisecondsSinceEpoch: 1_785_240_000_000)
    private let life = Incarnation("uid.0")

    private func lease(
        _ name: String, created: Int64 = 0, renewed: Int64, idle: Set<String> = [], hasEnded: Bool = false
    ) throws -> GatewayLease {
        func moment(_ seconds: Int64) -> Timestamp {
            Timestamp(millisecondsSinceEpoch: Self.noon.millisecondsSinceEpoch + seconds * 1000)
        }
        var object = GatewayLease.manifest(
            name: GatewayLease.prefix + name, idle: idle, hasEnded: hasEnded, at: moment(renewed))
        if case .object(var whole) = object, case .object(var metadata)? = whole["metadata"] {
            metadata.set("creationTimestamp", .string(moment(created).iso8601))
            whole.set("metadata", .object(metadata))
            object = .object(whole)
        }
        return try #require(GatewayLease(object))
    }

    private func follow(_ peers: inout GatewayPeers, _ leases: [GatewayLease], at seconds: Int) {
        peers.follow(Dictionary(uniqueKeysWithValues: leases.map { ($0.name, $0) }), at: .seconds(seconds))
    }

    @Test("nobody leads whose Lease is not there")
    func nobody() {
        #expect(!GatewayPeers(name: "mcp-gateway-a").isLeader(at: .zero))
    }

    @Test("the first one leads, until its Lease is not renewed any more or it says that it ends")
    func leads() throws {
        var peers = GatewayPeers(name: "mcp-gateway-b")
        try follow(&peers, [lease("a", created: 0, renewed: 5), lease("b", created: 1, renewed: 5)], at: 0)
        #expect(!peers.isLeader(at: .seconds(14)))
        try follow(&peers, [lease("a", created: 0, renewed: 5), lease("b", created: 1, renewed: 10)], at: 14)
        #expect(!peers.isLeader(at: .seconds(14)) && peers.isLeader(at: .seconds(15)))
        // Our own has to be fresh, too.
        #expect(!peers.isLeader(at: .seconds(29)))
        var other = GatewayPeers(name: "mcp-gateway-b")
        try follow(
            &other, [lease("a", created: 0, renewed: 5, hasEnded: true), lease("b", created: 1, renewed: 5)], at: 0)
        #expect(other.isLeader(at: .zero))
    }

    @Test("a pod is released when all others that are there say so")
    func agreement() throws {
        var peers = GatewayPeers(name: "mcp-gateway-a")
        try follow(&peers, [lease("a", renewed: 5), lease("b", renewed: 5)], at: 0)
        #expect(!peers.isReleased(life, created: Self.noon, at: .zero))
        try follow(&peers, [lease("a", renewed: 5), lease("b", renewed: 6, idle: ["uid.0", "uid.1"])], at: 1)
        #expect(peers.isReleased(life, created: Self.noon, at: .seconds(1)))
        #expect(!peers.isReleased(Incarnation("uid.2"), created: Self.noon, at: .seconds(1)))
    }

    @Test("a gateway that is gone may have begun sessions on pods that were there in its time, and on no others")
    func gone() throws {
        var peers = GatewayPeers(name: "mcp-gateway-a")
        try follow(&peers, [lease("a", renewed: 5), lease("b", renewed: 5, idle: ["uid.0"], hasEnded: true)], at: 0)
        #expect(!peers.isReleased(life, created: Self.noon, at: .zero))
        let later = Timestamp(millisecondsSinceEpoch: Self.noon.millisecondsSinceEpoch + 6000)
        #expect(peers.isReleased(life, created: later, at: .zero))
        #expect(peers.obsolete(at: .zero, later).isEmpty)
        let nextDay = Timestamp(millisecondsSinceEpoch: Self.noon.millisecondsSinceEpoch + 86_400_000)
        #expect(peers.obsolete(at: .zero, nextDay) == ["mcp-gateway-b"])
    }
}
