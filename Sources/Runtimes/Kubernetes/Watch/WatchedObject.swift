// SPDX-License-Identifier: MIT

internal import JSON

/// What is kept of an object of the API server: only what is used.
protocol WatchedObject: Sendable, Hashable {
    /// `nil` where the object is not what it should be; such a one is passed over.
    init?(_ object: JSONValue)

    /// Unique among those of its kind in the namespace.
    var name: String { get }
}
