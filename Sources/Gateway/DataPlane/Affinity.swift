// SPDX-License-Identifier: MIT

import HTTP
import MCPProtocol
import Model
import NIOCore
import RuntimeContract
import Wire

extension ProxyExchange {
    /// Finds out what a request without a session is kept together by, where its adapter asks for it.
    ///
    /// `call` is `nil` where the body has not been read yet; what depends on it keeps nothing together then.
    func keepTogether(_ call: ModernCall?) {
        guard let adapter else { return }
        switch adapter.route.affinity {
        case .none: return
        case .principal: affinity = Rendezvous.hash(principal.id.utf8)
        case .tasks:
            guard let call, call.method.starts(with: "tasks/".utf8), let name = call.name else { return }
            affinity = Rendezvous.hash(name)
        case .header:
            head.withUnsafeReadableBytes { bytes in
                guard let view = proxy.view(of: bytes) else { return }
                var found: UInt64?
                for line in view.lines {
                    let name = view.slice(line.nameRange)
                    guard name.count == adapter.affinityField.count,
                        zip(name, adapter.affinityField).allSatisfy({ Rendezvous.lowercase($0) == $1 })
                    else { continue }
                    // Two of them could be taken for either: neither is.
                    if found != nil { return }
                    found = Rendezvous.hash(view.slice(line.value))
                }
                affinity = found
            }
        }
    }
}

/// Highest random weight: each key has an order of the instances of its own, and goes to the first that there is.
///
/// When an instance goes, only its keys move; every gateway comes to the same result without a word to the others.
enum Rendezvous {
    /// FNV-1a: the same in every process, unlike `Hasher`.
    static func hash(_ bytes: some Sequence<UInt8>) -> UInt64 {
        bytes.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }

    /// How much the instance with this ordinal wants the key.
    static func weight(_ key: UInt64, _ ordinal: Int) -> UInt64 {
        var mixed = key ^ (UInt64(truncatingIfNeeded: ordinal) &+ 1) &* 0x9E37_79B9_7F4A_7C15
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }

    /// ASCII only.
    static func lowercase(_ byte: UInt8) -> UInt8 { (0x41...0x5A).contains(byte) ? byte | 0x20 : byte }
}

extension Placement {
    /// The instance that `key` belongs to, among those that take new sessions, were not `tried` and are not left out.
    static func choose(
        by key: UInt64, among candidates: [PlacementCandidate], tried: [InstanceID] = [], at now: UInt64 = .max
    ) -> PlacementCandidate? {
        var best: PlacementCandidate?
        var bestWeight: UInt64 = 0
        for candidate in candidates where candidate.endpoint.acceptsNewSessions {
            if tried.contains(candidate.endpoint.id) || candidate.load.closedUntil > now { continue }
            if candidate.load.isClosed { continue }
            let weight = Rendezvous.weight(key, candidate.endpoint.id.ordinal)
            if best == nil || weight > bestWeight { (best, bestWeight) = (candidate, weight) }
        }
        return best
    }
}
