// SPDX-License-Identifier: MIT

import MCPProtocol
import Model
import RuntimeContract

extension ProxyLoop {
    /// What is remembered of `session`, whose binding is then where it lives now.
    ///
    /// Takes the session's lock, and on a loop's first look that of all memories: only for adapters with recovery.
    func recall(_ session: BoundSession) -> SessionMemory? {
        if session.memory == nil { session.memory = registry.memories.find(session.fingerprint) }
        guard let memory = session.memory else { return nil }
        guard let binding = memory.binding else {
            session.memory = nil
            return nil
        }
        session.binding = binding
        memory.touch(at: now.millisecondsSinceEpoch)
        return memory
    }

    /// Remembers a session that has just begun with `handshake`; without effect where there is no room.
    func remember(_ session: BoundSession, _ adapter: AdapterTarget, _ handshake: SessionMemory.Handshake) {
        guard handshake.byteCount <= SessionMemory.handshakeLimit else { return }
        let memory = SessionMemory(
            fingerprint: session.fingerprint, adapter: adapter.route.name, principal: session.principal,
            handshake: handshake, binding: session.binding, now: now.millisecondsSinceEpoch)
        if registry.memories.insert(memory) { session.memory = memory }
    }

    /// The session is over, or its client is told that it is lost.
    func forgetMemory(of session: BoundSession) {
        guard session.memory != nil else { return }
        session.memory = nil
        registry.memories.forget(session.fingerprint)
    }

    /// Begins the session of `memory` anew; whoever waits for it is told how that ends.
    func recover(_ memory: SessionMemory) {
        let handshake = RecoveryHandshake(memory, proxy: self)
        handshakes.append(handshake)
        handshake.begin()
    }

    /// Lets go of a handshake that is over.
    func ended(_ handshake: RecoveryHandshake) {
        handshakes.removeAll { $0 === handshake }
    }
}
