// SPDX-License-Identifier: MIT

import JSON
import RuntimeContract
import Testing

@testable import KubernetesRuntime

@Suite("What a spec changes of a workload's StatefulSets")
struct RevisionChangeTests {
    private static let now = Timestamp(millisecondsSinceEpoch: 1000)

    private func set(_ note: RevisionNote, template: String, replicas: Int? = nil) throws -> StatefulSetState {
        let id = try #require(WorkloadID("a"))
        let object: JSONValue = [
            "metadata": [
                "name": .string(WorkloadRevisions.name(of: id, revision: note.revision)),
                "labels": [FieldNames.adapter: "a"],
                "annotations": .strings([
                    FieldNames.generation: "\(note.revision)", FieldNames.rollout: note.text,
                ]),
            ],
            "spec": [
                "replicas": .integer(Int64(replicas ?? note.wanted)),
                "template": ["metadata": ["annotations": [FieldNames.template: .string(template)]]],
            ],
        ]
        return try #require(StatefulSetState(object))
    }

    private func note(_ revision: Int64, wanted: Int = 2, serving: Bool = false) -> RevisionNote {
        RevisionNote(
            revision: revision, wanted: wanted, drainTime: .seconds(300), servingSince: serving ? Self.now : nil)
    }

    private func spec(_ generation: Int64, replicas: Int = 2) throws -> WorkloadSpec {
        WorkloadSpec(
            id: try #require(WorkloadID("a")), generation: generation, source: .image(name: "i", version: "1"),
            replicas: replicas)
    }

    private func change(
        _ spec: WorkloadSpec, _ template: String, _ sets: [StatefulSetState]
    ) -> RevisionChange? {
        RevisionChange(to: spec, template: template, WorkloadRevisions(sets), at: Self.now)
    }

    @Test("the first one serves from the beginning")
    func first() throws {
        let change = try #require(try change(spec(1), "t1", []))
        #expect(change.note.revision == 1 && change.note.servingSince == Self.now && change.replicas == 2)
    }

    @Test("other pods are made beside those that serve, and do not serve yet")
    func beside() throws {
        let serving = try set(note(1, serving: true), template: "t1")
        let change = try #require(try change(spec(2, replicas: 3), "t2", [serving]))
        #expect(change.note.revision == 2 && change.note.servingSince == nil && change.replicas == 3)
        #expect(change.isVisible && change.superseded.isEmpty)
    }

    @Test("the same pods change nothing; fewer drain first, and more are taken back")
    func replicas() throws {
        let serving = try set(note(1, wanted: 3, serving: true), template: "t1")
        let same = try #require(try change(spec(2, replicas: 3), "t1", [serving]))
        #expect(!same.isVisible && same.note == serving.note)
        let fewer = try #require(try change(spec(2, replicas: 1), "t1", [serving]))
        #expect(fewer.replicas == 3 && fewer.note.wanted == 1 && fewer.note.shrinkingSince == Self.now)
        let shrinking = try set(fewer.note, template: "t1", replicas: 3)
        let again = try #require(try change(spec(3, replicas: 3), "t1", [shrinking]))
        #expect(again.replicas == 3 && again.note.wanted == 3 && again.note.shrinkingSince == nil && again.isVisible)
    }

    @Test("what serves and is wanted again takes away what was to take its place")
    func back() throws {
        let sets = try [set(note(1, serving: true), template: "t1"), set(note(2), template: "t2")]
        let change = try #require(try change(spec(3), "t1", sets))
        #expect(change.note.revision == 1 && change.superseded == ["a-r2"] && change.isVisible)
    }

    @Test("what was withdrawn is not tried again with the same words, and is with newer ones")
    func withdrawn() throws {
        var serving = note(1, serving: true)
        serving.withdrawal = RevisionNote.Withdrawal(template: "t2", generation: 2, ordinal: 0, message: "no")
        let sets = try [set(serving, template: "t1")]
        #expect(try change(spec(2), "t2", sets) == nil)
        #expect(try #require(try change(spec(3), "t2", sets)).note.revision == 2)
        #expect(try #require(try change(spec(3), "t1", sets)).note.withdrawal == nil)
    }
}
