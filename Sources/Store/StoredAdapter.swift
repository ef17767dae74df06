// SPDX-License-Identifier: MIT

public import Model
public import RuntimeContract

/// An adapter as it is stored.
public struct StoredAdapter: Hashable, Sendable {
    /// The adapter.
    public var adapter: Adapter
    /// When it was deleted; what is left is a tombstone, kept until the runtime has cleaned up after it.
    public var deletedAt: Timestamp?

    /// An adapter, or its tombstone.
    public init(_ adapter: Adapter, deletedAt: Timestamp? = nil) {
        self.adapter = adapter
        self.deletedAt = deletedAt
    }

    /// Whether only the tombstone is left.
    public var isDeleted: Bool { deletedAt != nil }
}

/// What is to be done about an adapter.
public enum AdapterChange: Sendable {
    /// Leave it as it is.
    case keep
    /// Store it; there must be none of its name, not even a tombstone.
    case create(Adapter)
    /// Store this one in its place.
    case replace(Adapter)
    /// Leave a tombstone.
    case delete(at: Timestamp)
}
