// SPDX-License-Identifier: MIT

import MCPProtocol
import Model
import Synchronization

/// The memories of all sessions of adapters with recovery.
///
/// Bounded: a session for which there is no room is one without recovery. Asked once per session and loop.
final class SessionMemories: Sendable {
    /// How many bytes of handshakes are kept.
    static let byteLimit = 64 << 20
    /// How many sessions are remembered.
    static let countLimit = 50_000

    private struct State {
        var memories: [SessionFingerprint: SessionMemory] = [:]
        var byteCount = 0
    }

    private let state = Mutex(State())

    /// No memories.
    init() {}

    /// How many sessions are remembered.
    var count: Int { state.withLock(\.memories.count) }

    /// Remembers a session, in place of what was remembered of its id.
    ///
    /// - Returns: whether there was room.
    func insert(_ memory: SessionMemory) -> Bool {
        let size = Self.size(memory)
        // Some servers give the same id again: that is a new session all the same.
        forget(memory.fingerprint)
        return state.withLock { state in
            guard state.memories.count < Self.countLimit, state.byteCount + size <= Self.byteLimit else { return false }
            guard state.memories.updateValue(memory, forKey: memory.fingerprint) == nil else { return true }
            state.byteCount += size
            return true
        }
    }

    /// What is remembered of a session.
    func find(_ fingerprint: SessionFingerprint) -> SessionMemory? {
        state.withLock { $0.memories[fingerprint] }
    }

    /// Forgets a session; those who wait for it are told that it is lost.
    func forget(_ fingerprint: SessionFingerprint) {
        forget {
            $0.fingerprint == fingerprint
        } among: {
            $0[fingerprint].map { [$0] } ?? []
        }
    }

    /// Forgets the sessions of adapters that are not among `names`.
    func forget(allBut names: Set<AdapterName>) {
        forget {
            !names.contains($0.adapter)
        } among: {
            Array($0.values)
        }
    }

    /// Forgets the sessions that were not used for as long as `timeout` says; both times in milliseconds.
    func expire(at now: Int64, timeout: (AdapterName) -> Int64) {
        forget {
            now - $0.lastUsedAt >= timeout($0.adapter)
        } among: {
            Array($0.values)
        }
    }

    private func forget(
        where isGone: (SessionMemory) -> Bool,
        among candidates: ([SessionFingerprint: SessionMemory]) -> [SessionMemory]
    ) {
        let gone: [SessionMemory] = state.withLock { state in
            if state.memories.isEmpty { return [] }
            let gone = candidates(state.memories).filter(isGone)
            for memory in gone {
                state.memories[memory.fingerprint] = nil
                state.byteCount -= Self.size(memory)
            }
            return gone
        }
        for memory in gone { memory.forget() }
    }

    /// What a memory counts for: what it was begun with, and a fixed amount for what is learned later.
    private static func size(_ memory: SessionMemory) -> Int { memory.sizeAtBegin + 4096 }
}
