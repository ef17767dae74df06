// SPDX-License-Identifier: MIT

public import JSON
public import RuntimeContract

/// One MCP server as the API shows it: what is wanted, and who wanted it when.
public struct Adapter: Hashable, Sendable {
    /// The name, for good.
    public let name: AdapterName
    /// What tells this adapter from an earlier or later one of the same name; random.
    public let uid: UInt64
    /// What is wanted.
    public var spec: AdapterSpec
    /// Grows by one with every change of ``spec``; begins with 1.
    public var generation: Int64
    /// The principal that created it.
    public let createdBy: String
    /// When it was created.
    public let createdAt: Timestamp
    /// When ``spec`` was last changed.
    public var lastUpdatedAt: Timestamp

    /// Describes an adapter.
    public init(
        name: AdapterName,
        uid: UInt64,
        spec: AdapterSpec,
        generation: Int64 = 1,
        createdBy: String,
        createdAt: Timestamp,
        lastUpdatedAt: Timestamp
    ) {
        self.name = name
        self.uid = uid
        self.spec = spec
        self.generation = generation
        self.createdBy = createdBy
        self.createdAt = createdAt
        self.lastUpdatedAt = lastUpdatedAt
    }

    /// The strong entity tag (RFC 9110 §8.8.3), quotes included: changes exactly when the representation does.
    public var etag: String { "\"\(id)-\(generation)\"" }

    /// ``uid`` as the API shows it.
    public var id: String { String(uid, radix: 36) }

    /// Who may use and change it.
    public var access: AccessPolicy {
        AccessPolicy(createdBy: createdBy, requiredRoles: Set(spec.requiredRoles))
    }

    /// The adapter with `spec` instead, changed at `now`; the same adapter if `spec` says the same.
    public func changed(to spec: AdapterSpec, at now: Timestamp) -> Adapter {
        guard !spec.isIdentical(to: self.spec) else { return self }
        var adapter = self
        adapter.spec = spec
        adapter.generation += 1
        // Never earlier than before, whatever was done to the clock.
        adapter.lastUpdatedAt = max(now, lastUpdatedAt)
        return adapter
    }

    /// The representation in the API.
    public var json: JSONObject {
        var object: JSONObject = ["id": .string(id), "name": .string(name.rawValue)]
        for member in spec.json.members { object.set(member.name, member.value) }
        object.set("generation", .integer(generation))
        object.set("createdBy", .string(createdBy))
        object.set("createdAt", .string(createdAt.iso8601))
        object.set("lastUpdatedAt", .string(lastUpdatedAt.iso8601))
        return object
    }
}
