// SPDX-License-Identifier: MIT

import MCPProtocol
import Wire

/// A session id that was opened for a principal on an adapter.
///
/// Confined to its loop.
final class BoundSession {
    /// The id as the client has it.
    let text: [UInt8]
    /// The adapter it is good for.
    let adapter: String
    /// The id of the principal it is good for.
    let principal: String
    /// Where the session lives: what the id says, or where it was begun anew.
    var binding: SessionBinding
    /// What is remembered of it, where its adapter has recovery.
    var memory: SessionMemory?
    /// Stands for the id in the registry.
    let fingerprint: SessionFingerprint
    /// The session as the registry knows it, once it was looked for.
    var entry: SessionRegistryEntry?

    init(text: [UInt8], adapter: String, principal: String, opened: OpenedSession) {
        self.text = text
        self.adapter = adapter
        self.principal = principal
        binding = opened.binding
        fingerprint = opened.fingerprint
    }

    func matches(_ bytes: UnsafeRawBufferPointer, adapter: String, principal: String) -> Bool {
        ByteComparison.isEqual(bytes, text) && self.adapter == adapter && self.principal == principal
    }
}

/// The session ids that a loop has opened, so that the cipher runs once per session and loop and not per request.
///
/// Two generations: when the young one is full it becomes the old one, and what is used moves back to the young. So the
/// least used are forgotten, at no cost per use. Forgetting costs one decryption.
struct BoundSessionCache {
    private let generationCapacity: Int
    private var young: [UInt64: BoundSession] = [:]
    private var old: [UInt64: BoundSession] = [:]

    /// A cache for about `capacity` sessions.
    init(capacity: Int) {
        generationCapacity = max(1, capacity / 2)
    }

    /// The session whose id is `bytes`, if it was opened for the same adapter and principal.
    mutating func find(_ bytes: UnsafeRawBufferPointer, adapter: String, principal: String) -> BoundSession? {
        guard let key = Self.key(bytes) else { return nil }
        if let session = young[key] {
            return session.matches(bytes, adapter: adapter, principal: principal) ? session : nil
        }
        guard let session = old[key], session.matches(bytes, adapter: adapter, principal: principal) else { return nil }
        insert(session)
        return session
    }

    /// Remembers `session`.
    mutating func insert(_ session: BoundSession) {
        guard let key = session.text.withUnsafeBytes(Self.key) else { return }
        if young.count >= generationCapacity {
            old = young
            young = [:]
        }
        young[key] = session
    }

    /// How many there are.
    var count: Int { young.count + old.count }

    /// Forgets what was not used since the last call but one.
    mutating func age() {
        old = young
        young = [:]
    }

    /// Forgets `session`.
    mutating func remove(_ session: BoundSession) {
        guard let key = session.text.withUnsafeBytes(Self.key) else { return }
        young[key] = nil
        old[key] = nil
    }

    /// The last eight characters are part of the authentication tag: as good as random for ids that were sealed here,
    /// and others are never inserted.
    private static func key(_ bytes: UnsafeRawBufferPointer) -> UInt64? {
        guard bytes.count >= 8 else { return nil }
        return bytes.loadUnaligned(fromByteOffset: bytes.count - 8, as: UInt64.self)
    }
}
