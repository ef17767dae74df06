// SPDX-License-Identifier: MIT

import MCPProtocol
import Model
import RuntimeContract
import Synchronization

/// The live sessions that this gateway has seen: for placement, draining and lists.
///
/// Lossy on purpose. Sessions route by their sealed ids alone; one that is missing here, because the gateway was
/// restarted, the registry was full or the session was idle, works all the same and is taken in again when it is next
/// used. Each operation takes the lock of one shard, or of one after the other; nothing is called while one is held.
final class SessionRegistry: Sendable {
    /// How many sessions are kept unless said otherwise.
    static let defaultCapacity = 100_000

    private final class Shard: Sendable {
        let entries = Mutex<[SessionFingerprint: SessionRegistryEntry]>([:])
        let endedSessions = Mutex(RecentFingerprints(capacity: 2048))
    }

    /// What is remembered of sessions, of adapters with recovery only.
    let memories = SessionMemories()

    private let shards: [Shard]
    private let shardCapacity: Int
    private let overflow = Atomic<Int>(0)

    /// A registry for about `capacity` sessions, spread over `shardCount` locks.
    init(capacity: Int = SessionRegistry.defaultCapacity, shardCount: Int = 16) {
        precondition(capacity > 0 && shardCount > 0, "a registry has room for a session")
        shards = (0..<shardCount).map { _ in Shard() }
        shardCapacity = (capacity + shardCount - 1) / shardCount
    }

    /// How many sessions are live.
    var count: Int { shards.reduce(0) { $0 + $1.entries.withLock(\.count) } }

    /// The live sessions, in no order.
    var all: [SessionRegistryEntry] { shards.flatMap { $0.entries.withLock { Array($0.values) } } }

    /// How many sessions were not taken in because there was no room.
    var overflowCount: Int { overflow.load(ordering: .relaxed) }

    /// Takes in the session of `entry`, and returns what stands for it: `entry`, or the one that is there already.
    ///
    /// `nil` where there is no room, which is counted.
    func open(_ entry: SessionRegistryEntry) -> SessionRegistryEntry? {
        let kept: SessionRegistryEntry? = shard(entry.fingerprint).entries.withLock { entries in
            if let existing = entries[entry.fingerprint] { return existing }
            guard entries.count < shardCapacity else { return nil }
            entries[entry.fingerprint] = entry
            return entry
        }
        if let kept {
            if kept === entry { entry.begin() }
        } else {
            overflow.add(1, ordering: .relaxed)
        }
        return kept
    }

    /// The live session that `fingerprint` stands for, or `nil`.
    func session(_ fingerprint: SessionFingerprint) -> SessionRegistryEntry? {
        shard(fingerprint).entries.withLock { $0[fingerprint] }
    }

    /// Lets go of the session that `fingerprint` stands for, and returns it; `nil` where there is none.
    @discardableResult
    func end(_ fingerprint: SessionFingerprint) -> SessionRegistryEntry? {
        let entry = shard(fingerprint).entries.withLock { $0.removeValue(forKey: fingerprint) }
        entry?.end()
        return entry
    }

    /// Lets go of the session that `fingerprint` stands for, and remembers for a while that it ended: its client deleted
    /// it, or it was a stream and that ended.
    ///
    /// Only this gateway knows; others rely on what the server says of it.
    func endForGood(_ fingerprint: SessionFingerprint) {
        shard(fingerprint).endedSessions.withLock { $0.insert(fingerprint) }
        end(fingerprint)
    }

    /// A server has begun the session that `fingerprint` stands for, perhaps once more: some give the same id again.
    func begin(_ fingerprint: SessionFingerprint) {
        shard(fingerprint).endedSessions.withLock { $0.remove(fingerprint) }
    }

    /// Whether `fingerprint` stands for a session that ended for good, as far as this gateway remembers.
    func hasEnded(_ fingerprint: SessionFingerprint) -> Bool {
        shard(fingerprint).endedSessions.withLock { $0.contains(fingerprint) }
    }

    /// Lets go of every session on an instance that is not in `table` with the same incarnation, and returns how many.
    @discardableResult
    func end(allBut table: EndpointTable) -> Int {
        // Of one instance two lives may go on at a time.
        var living: [InstanceID: Set<Incarnation>] = [:]
        for endpoint in table.instances.values.joined() {
            living[endpoint.id, default: []].insert(endpoint.incarnation)
        }
        return remove { living[$0.instance]?.contains($0.incarnation) != true }
    }

    /// Lets go of the sessions that were idle for as long as `timeout` says of their adapter, and returns how many.
    ///
    /// A session with an open stream is not idle. `timeout` is called with a lock held and must only look up.
    @discardableResult
    func expire(at now: Timestamp, timeout: (AdapterName) -> Duration) -> Int {
        remove { $0.isIdle(for: timeout($0.adapter), at: now) }
    }

    /// The live sessions of `adapter`, in the order of their fingerprints.
    func sessions(of adapter: AdapterName) -> [SessionRegistryEntry] {
        var found: [SessionRegistryEntry] = []
        for shard in shards {
            found += shard.entries.withLock { entries in entries.values.filter { $0.adapter == adapter } }
        }
        return found.sorted { $0.fingerprint.value < $1.fingerprint.value }
    }

    /// How many sessions live on each instance of `adapter`.
    func counts(of adapter: AdapterName) -> [InstanceID: Int] {
        sessions(of: adapter).reduce(into: [:]) { $0[$1.instance, default: 0] += 1 }
    }

    private func remove(where isGone: (SessionRegistryEntry) -> Bool) -> Int {
        var removed = 0
        for shard in shards {
            let gone = shard.entries.withLock { entries in
                let gone = entries.values.filter(isGone)
                for entry in gone { entries[entry.fingerprint] = nil }
                return gone
            }
            for entry in gone { entry.end() }
            removed += gone.count
        }
        return removed
    }

    private func shard(_ fingerprint: SessionFingerprint) -> Shard {
        // A fingerprint is a digest already, so any of its bits are as good as a hash.
        shards[Int(truncatingIfNeeded: fingerprint.value & 0xFFFF) % shards.count]
    }
}
