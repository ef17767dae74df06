// SPDX-License-Identifier: MIT

import MCPProtocol
import Model
import RuntimeContract
import Synchronization

/// A live session as this gateway knows it.
///
/// A loop may keep a reference for as long as it keeps the opened session id: ``enter(at:)`` then costs two relaxed
/// atomics and no lock.
final class SessionRegistryEntry: Sendable {
    /// Stands for the session id.
    let fingerprint: SessionFingerprint
    /// The adapter.
    let adapter: AdapterName
    /// The transport.
    let kind: SessionBinding.Kind
    /// The instance.
    let instance: InstanceID
    /// The life of the instance.
    let incarnation: Incarnation
    /// The id of the principal.
    let principal: String
    /// When this gateway first saw the session.
    let openedAt: Timestamp

    private let load: PlacementLoad
    private let lastUse: Atomic<Int64>
    private let openExchanges = Atomic<Int>(0)
    private let requests = Atomic<Int>(0)
    private let ended = Atomic<Bool>(false)

    /// Describes a session that was seen at `now`.
    init(
        fingerprint: SessionFingerprint, adapter: AdapterName, kind: SessionBinding.Kind, instance: InstanceID,
        incarnation: Incarnation, principal: String, load: PlacementLoad, now: Timestamp
    ) {
        self.fingerprint = fingerprint
        self.adapter = adapter
        self.kind = kind
        self.instance = instance
        self.incarnation = incarnation
        self.principal = principal
        self.load = load
        openedAt = now
        lastUse = Atomic(now.millisecondsSinceEpoch)
    }

    /// When the session was last used.
    var lastUsedAt: Timestamp { Timestamp(millisecondsSinceEpoch: lastUse.load(ordering: .relaxed)) }

    /// How many requests and streams of the session are not over.
    var exchanges: Int { openExchanges.load(ordering: .relaxed) }

    /// How many requests this gateway has seen of it.
    var requestCount: Int { requests.load(ordering: .relaxed) }

    /// Whether the registry has let go of it; what is counted here then counts for nobody.
    var isEnded: Bool { ended.load(ordering: .relaxed) }

    /// Counts a request or a stream that begins at `now`; ``leave(at:)`` follows exactly once.
    func enter(at now: Timestamp) {
        openExchanges.add(1, ordering: .relaxed)
        requests.add(1, ordering: .relaxed)
        lastUse.store(now.millisecondsSinceEpoch, ordering: .relaxed)
    }

    /// Ends at `now` what ``enter(at:)`` began; the session is idle from then on if nothing else is open.
    func leave(at now: Timestamp) {
        lastUse.store(now.millisecondsSinceEpoch, ordering: .relaxed)
        openExchanges.subtract(1, ordering: .relaxed)
    }

    /// Whether nothing is open and nothing was for `timeout` before `now`.
    func isIdle(for timeout: Duration, at now: Timestamp) -> Bool {
        guard exchanges == 0 else { return false }
        let elapsed = now.millisecondsSinceEpoch - lastUse.load(ordering: .relaxed)
        return Duration.milliseconds(elapsed) >= timeout
    }

    /// Counts the session on its instance.
    ///
    /// The registry calls it once, when it takes the session in.
    func begin() { load.beginSession() }

    /// Takes the session off its instance.
    ///
    /// The registry calls it once, when it lets the session go.
    func end() {
        ended.store(true, ordering: .relaxed)
        load.endSession()
    }
}
