// SPDX-License-Identifier: MIT

import MCPProtocol
import Model
import NIOCore
import Synchronization

/// What is remembered of a session so that it can be begun once more on another instance: the client's handshake, and
/// where the session lives now.
///
/// In memory only, and never written to a log: a handshake may hold credentials. Shared by all loops; each operation
/// takes the session's own lock, nothing is called while it is held.
final class SessionMemory: Sendable {
    /// The longest handshake that is kept, in bytes.
    static let handshakeLimit = 64 << 10
    /// How many requests of one session may wait for its recovery.
    static let waiterLimit = 64

    /// The client's part of the handshake.
    struct Handshake: Sendable {
        /// Path and query of the server's endpoint.
        var target: [UInt8]
        /// The field lines for the instance, without `Host`, session and framing.
        var fields: [UInt8]
        /// The body of `initialize`.
        var initialize: [UInt8]
        /// The body of `notifications/initialized`, once the client has sent it.
        var initialized: [UInt8]?
        /// What was agreed on, once the server has answered.
        var terms: NegotiatedTerms?

        /// How many bytes are kept.
        var byteCount: Int {
            target.count + fields.count + initialize.count + (initialized?.count ?? 0)
                + (terms?.capabilities.count ?? 0)
        }
    }

    /// A request that waits for the recovery of its session.
    struct Waiter: Sendable {
        /// What is told on the request's own loop.
        let request: NIOLoopBound<RequestRecovery>

        /// Tells the request how the recovery ended; from any thread.
        func wake(_ outcome: Outcome) {
            request.eventLoop.execute { request.value.recoveryEnded(outcome) }
        }
    }

    /// How an attempt to begin the session once more ended.
    enum Outcome: Hashable, Sendable {
        /// It lives elsewhere now.
        case moved
        /// No server takes it on as it was: it is lost.
        case lost
        /// There was no server in time: it may be tried again.
        case postponed
    }

    /// What a request that finds the session lost is to do.
    enum Role: Hashable, Sendable {
        /// Begin the session once more; it is told the outcome like those that wait.
        case leads
        /// Wait: another request does so already.
        case waits
        /// Go on: it was done already.
        case goesOn
        /// Give up: the session is lost for good.
        case givesUp
        /// Give up for now: too many wait.
        case isTooMany
    }

    private enum Phase {
        case settled
        case recovering([Waiter])
        case lost
    }

    private struct State {
        var handshake: Handshake
        var binding: SessionBinding
        var phase = Phase.settled
        var repeatableTools: Set<String> = []
    }

    /// Stands for the session id.
    let fingerprint: SessionFingerprint
    /// The adapter.
    let adapter: AdapterName
    /// The id of the principal.
    let principal: String
    /// How many bytes the handshake had when it began.
    let sizeAtBegin: Int

    private let state: Mutex<State>
    private let lastUse: Atomic<Int64>

    /// Remembers a session that has just begun at `binding`.
    init(
        fingerprint: SessionFingerprint, adapter: AdapterName, principal: String, handshake: Handshake,
        binding: SessionBinding, now: Int64
    ) {
        self.fingerprint = fingerprint
        self.adapter = adapter
        self.principal = principal
        sizeAtBegin = handshake.byteCount
        state = Mutex(State(handshake: handshake, binding: binding))
        lastUse = Atomic(now)
    }

    /// Where the session lives now, or `nil` when it is lost.
    var binding: SessionBinding? {
        state.withLock { state in
            if case .lost = state.phase { nil } else { state.binding }
        }
    }

    /// The handshake so far.
    var handshake: Handshake { state.withLock(\.handshake) }

    /// Whether the client's `notifications/initialized` is still to come.
    var awaitsInitialized: Bool { state.withLock { $0.handshake.initialized == nil } }

    /// When the session was last used, in milliseconds.
    var lastUsedAt: Int64 { lastUse.load(ordering: .relaxed) }

    /// The session is used at `now`, in milliseconds.
    func touch(at now: Int64) { lastUse.store(now, ordering: .relaxed) }

    /// Takes note of what the server agreed to.
    func note(_ terms: NegotiatedTerms) {
        state.withLock { $0.handshake.terms = terms }
    }

    /// Takes note of the client's `notifications/initialized`.
    func note(initialized body: [UInt8]) {
        guard body.count <= 4096 else { return }
        state.withLock { state in
            if state.handshake.initialized == nil { state.handshake.initialized = body }
        }
    }

    /// Takes note of which tools may be called again; what is said last counts.
    func note(_ hints: [String: Bool]) {
        state.withLock { state in
            for (name, isRepeatable) in hints {
                if !isRepeatable {
                    state.repeatableTools.remove(name)
                } else if state.repeatableTools.count < ToolHints.limit, name.utf8.count <= 256 {
                    state.repeatableTools.insert(name)
                }
            }
        }
    }

    /// Whether `tool` may be called again although a first call may have had its effect.
    func mayRepeat(tool: String) -> Bool { state.withLock { $0.repeatableTools.contains(tool) } }

    /// A request found that the session does not live at `binding` any more.
    ///
    /// - Parameter waiter: who is told how it ends, if `leads` or `waits` is returned.
    func join(_ binding: SessionBinding, _ waiter: Waiter?) -> Role {
        state.withLock { state in
            if case .lost = state.phase { return .givesUp }
            guard state.binding == binding else { return .goesOn }
            guard state.handshake.terms != nil else {
                // Nothing to compare a new server with: the answer never came through to its end.
                state.phase = .lost
                return .givesUp
            }
            if case .recovering(var waiters) = state.phase {
                guard let waiter else { return .waits }
                guard waiters.count < Self.waiterLimit else { return .isTooMany }
                waiters.append(waiter)
                state.phase = .recovering(waiters)
                return .waits
            }
            state.phase = .recovering(waiter.map { [$0] } ?? [])
            return .leads
        }
    }

    /// The attempt is over; `binding` is the new place of a session that moved.
    ///
    /// Tells all who wait.
    func finish(_ outcome: Outcome, _ binding: SessionBinding? = nil) {
        let waiters: [Waiter] = state.withLock { state in
            guard case .recovering(let waiters) = state.phase else { return [] }
            if let binding { state.binding = binding }
            state.phase = outcome == .lost ? .lost : .settled
            return waiters
        }
        for waiter in waiters { waiter.wake(outcome) }
    }

    /// The session is over: nobody recovers it any more.
    func forget() {
        let waiters: [Waiter] = state.withLock { state in
            defer { state.phase = .lost }
            if case .recovering(let waiters) = state.phase { return waiters }
            return []
        }
        for waiter in waiters { waiter.wake(.lost) }
    }
}
