// SPDX-License-Identifier: MIT

import MCPProtocol

/// A set of so many fingerprints at most: the oldest is forgotten for a new one.
struct RecentFingerprints {
    private let capacity: Int
    private var members: Set<SessionFingerprint> = []
    private var order: [SessionFingerprint] = []
    private var oldest = 0

    /// An empty set for `capacity` fingerprints.
    init(capacity: Int) {
        precondition(capacity > 0, "a set has room for a fingerprint")
        self.capacity = capacity
    }

    /// Whether `fingerprint` was inserted and is not forgotten.
    func contains(_ fingerprint: SessionFingerprint) -> Bool { members.contains(fingerprint) }

    /// Takes `fingerprint` out; its place is used again when it would have been forgotten.
    mutating func remove(_ fingerprint: SessionFingerprint) { members.remove(fingerprint) }

    /// Inserts `fingerprint`; without effect where it is there already.
    mutating func insert(_ fingerprint: SessionFingerprint) {
        guard members.insert(fingerprint).inserted else { return }
        if order.count < capacity {
            order.append(fingerprint)
        } else {
            members.remove(order[oldest])
            order[oldest] = fingerprint
            oldest = (oldest + 1) % capacity
        }
    }
}
