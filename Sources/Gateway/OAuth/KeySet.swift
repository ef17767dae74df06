// SPDX-License-Identifier: MIT

import JSON

/// The keys that an issuer signs with now (RFC 7517 §5).
struct KeySet: Sendable {
    /// More are not read: each token without a key id is tried with every key.
    static let maximumKeys = 64

    private let keys: [SigningKey]

    /// Reads a set; keys that can't be used are passed over (RFC 7517 §5).
    ///
    /// `nil` where the document is no set, or has no key that can be used.
    init?(_ document: JSONValue) {
        guard case .array(let entries)? = document["keys"] else { return nil }
        keys = Array(entries.lazy.compactMap(SigningKey.init).prefix(Self.maximumKeys))
        guard !keys.isEmpty else { return nil }
    }

    /// The keys that a token may be signed with that names `id`; all where it names none.
    func candidates(_ id: String?) -> [SigningKey] {
        guard let id else { return keys }
        return keys.filter { $0.id == id }
    }
}
