// SPDX-License-Identifier: MIT

internal import RuntimeContract

/// Who of the gateways of this namespace is there, who of them drives roll-outs, and what all of them agree on.
///
/// Pure; moments are of any clock that goes on steadily. A Lease is believed as long as it is seen to change, by our own
/// clock, so that those of the gateways need not agree. The one that was there first leads: a gateway that comes never
/// takes over from one that works. Two that both believe to lead, for as long as a Lease lasts, do no harm: each step is
/// taken on the state that it was decided by, or not at all.
struct GatewayPeers: Sendable {
    /// How long a gateway that is gone keeps pods that it knew from being stopped early: its sessions, which go on at
    /// others, are not known there before they are used again.
    static let memory = Duration.seconds(3600)

    /// Our own Lease.
    let name: String
    private var leases: [String: GatewayLease] = [:]
    /// When each was last seen to change.
    private var seen: [String: Duration] = [:]

    init(name: String) {
        self.name = name
    }

    /// Takes up the Leases as they are now known.
    mutating func follow(_ found: [String: GatewayLease], at now: Duration) {
        for (name, lease) in found where leases[name]?.renewedAt != lease.renewedAt { seen[name] = now }
        seen = seen.filter { found[$0.key] != nil }
        leases = found
    }

    private func isLive(_ lease: GatewayLease, at now: Duration) -> Bool {
        guard !lease.hasEnded, let seen = seen[lease.name] else { return false }
        return now - seen < GatewayLease.duration
    }

    /// Whether we drive roll-outs.
    func isLeader(at now: Duration) -> Bool {
        let live = leases.values.filter { isLive($0, at: now) }
        return live.min { ($0.createdAt, $0.name) < ($1.createdAt, $1.name) }?.name == name
    }

    /// Whether all others say that they have no session on this life of a pod, which has been there since `created`.
    func isReleased(_ life: Incarnation, created: Timestamp, at now: Duration) -> Bool {
        leases.values.allSatisfy { lease in
            if lease.name == name { return true }
            if isLive(lease, at: now) { return lease.idle.contains(life.rawValue) }
            // It may have begun sessions there that go on elsewhere.
            return KubernetesTime.parse(lease.renewedAt).map { $0 < created } ?? false
        }
    }

    /// The Leases of gateways that are gone for so long that nothing depends on them any more.
    func obsolete(at now: Duration, _ wallClock: Timestamp) -> [String] {
        leases.values.filter { lease in
            guard lease.name != name, !isLive(lease, at: now) else { return false }
            guard let renewed = KubernetesTime.parse(lease.renewedAt) else { return true }
            return wallClock.millisecondsSinceEpoch - renewed.millisecondsSinceEpoch
                > Int64(Self.memory / .milliseconds(1))
        }.map(\.name).sorted()
    }
}
