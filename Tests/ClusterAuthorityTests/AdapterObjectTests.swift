// SPDX-License-Identifier: MIT

import JSON
import Model
import RuntimeContract
import Store
import Testing

@testable import ClusterAuthority

/// A resource as the API server sends it.
func resource(
    spec: JSONValue = ["imageName": "mcp-example", "imageVersion": "1.0.0"], generation: Int64 = 3,
    metadata: JSONObject = [:], status: JSONValue? = nil
) throws -> AdapterObject {
    var fields: JSONObject = [
        "name": "mcp-example", "uid": "0123abcd-4567-89ab-cdef-0123456789ab", "resourceVersion": "42",
        "generation": .integer(generation), "creationTimestamp": "2026-07-28T09:30:00Z",
    ]
    for member in metadata.members { fields.set(member.name, member.value) }
    var whole: JSONObject = [
        "apiVersion": "mcp-gateway.dev/v1alpha1", "kind": "Adapter", "metadata": .object(fields), "spec": spec,
    ]
    if let status { whole.set("status", status) }
    return try #require(AdapterObject(.object(whole)))
}

@Suite("The custom resource of an adapter")
struct AdapterObjectTests {
    @Test("a resource is the adapter that it describes, the same for every gateway")
    func reading() throws {
        let written: JSONValue = [
            ["manager": "kubectl", "time": "2026-07-28T10:00:00Z", "fieldsV1": ["f:spec": [:]]],
            ["manager": "mcp-gateway-status", "time": "2026-07-28T11:00:00Z", "fieldsV1": ["f:status": [:]]],
        ]
        let object = try resource(metadata: ["managedFields": written])
        let stored = try object.stored(secrets: ["TOKEN": Secret("x")], limits: AdapterLimits())
        #expect(stored.adapter.name.rawValue == "mcp-example")
        #expect(stored.adapter.uid == 0x0123_abcd_4567_89ab)
        #expect(stored.adapter.generation == 3)
        #expect(stored.adapter.createdBy == "kubernetes")
        #expect(stored.adapter.createdAt.iso8601 == "2026-07-28T09:30:00.000Z")
        #expect(stored.adapter.lastUpdatedAt.iso8601 == "2026-07-28T10:00:00.000Z")
        #expect(stored.adapter.spec.secretEnvironmentVariables["TOKEN"]?.exposed == "x")
        #expect(!stored.isDeleted)
    }

    @Test("a resource that is being deleted is a tombstone")
    func deleting() throws {
        let object = try resource(metadata: ["deletionTimestamp": "2026-07-28T12:00:00Z"])
        let stored = try object.stored(secrets: [:], limits: AdapterLimits())
        #expect(stored.deletedAt?.iso8601 == "2026-07-28T12:00:00.000Z")
    }

    @Test("what is written is what is read, and holds no value of a secret")
    func writing() throws {
        var adapter = try resource().stored(secrets: ["TOKEN": Secret("not-to-be-seen")], limits: AdapterLimits())
            .adapter
        adapter.spec.labels = ["team": "a"]
        let written = AdapterObject.new(adapter, secretName: "some-secret")
        #expect(!String(decoding: written.bytes, as: UTF8.self).contains("not-to-be-seen"))
        #expect(written["metadata", "finalizers"]?.items == ["mcp-gateway.dev/workload"])
        let object = try resource(spec: #require(written["spec"]))
        #expect(object.secretName == "some-secret")
        let read = try object.stored(secrets: ["TOKEN": Secret("not-to-be-seen")], limits: AdapterLimits())
        #expect(read.adapter.spec.isIdentical(to: adapter.spec))
    }

    @Test("a replaced resource keeps what others have written into it")
    func replacing() throws {
        let labels: JSONValue = ["team": "a"]
        let object = try resource(metadata: ["labels": labels])
        var adapter = try object.stored(secrets: [:], limits: AdapterLimits()).adapter
        adapter.spec.replicaCount = 0
        let written = object.replacing(adapter, secretName: nil)
        #expect(written["metadata", "labels"] == labels)
        #expect(written["metadata", "resourceVersion"] == "42")
        #expect(written["spec", "replicaCount"] == 0)
    }

    @Test("every fault of a spec is named")
    func faults() throws {
        let object = try resource(spec: ["imageName": "mcp-example", "replicaCount": 99, "nonsense": true])
        let error = #expect(throws: ValidationError.self) {
            try object.stored(secrets: [:], limits: AdapterLimits(replicas: 32))
        }
        #expect(Set(error?.faults.map(\.field) ?? []) == ["imageVersion", "replicaCount", "nonsense"])
    }

    @Test("a variable is either open or secret")
    func twice() throws {
        let object = try resource(spec: [
            "imageName": "mcp-example", "imageVersion": "1", "environmentVariables": ["TOKEN": "open"],
        ])
        #expect(throws: ValidationError.self) {
            try object.stored(secrets: ["TOKEN": Secret("x")], limits: AdapterLimits())
        }
    }

    @Test("versions are compared as numbers", arguments: [("9", true), ("42", true), ("100", false)])
    func versions(_ other: String, _ isAtLeast: Bool) throws {
        #expect(try resource().isAtLeast(other) == isAtLeast)
    }
}
