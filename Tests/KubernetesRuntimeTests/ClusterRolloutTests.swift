// SPDX-License-Identifier: MIT

import JSON
import RuntimeContract
import Testing

@testable import KubernetesRuntime

@Suite("The next step of a roll-out in a cluster")
struct ClusterRolloutTests {
    private static let start = Timestamp(millisecondsSinceEpoch: 1_785_230_000_000)

    private static func after(_ seconds: Int64) -> Timestamp {
        Timestamp(millisecondsSinceEpoch: start.millisecondsSinceEpoch + seconds * 1000)
    }

    private static func set(
        _ revision: Int64, _ note: RevisionNote, replicas: Int64? = nil, generation: Int64? = nil
    ) throws -> StatefulSetState {
        let id = try #require(WorkloadID("a"))
        let object: JSONValue = [
            "metadata": [
                "name": .string(WorkloadRevisions.name(of: id, revision: revision)),
                "labels": [FieldNames.adapter: "a"], "creationTimestamp": .string(start.iso8601),
                "annotations": .strings([
                    FieldNames.generation: "\(generation ?? revision)", FieldNames.rollout: note.text,
                ]),
            ],
            "spec": [
                "replicas": .integer(replicas ?? Int64(note.wanted)),
                "template": ["metadata": ["annotations": [FieldNames.template: .string("t\(revision)")]]],
            ],
        ]
        return try #require(StatefulSetState(object))
    }

    /// The note of a revision that serves since the start, or is to.
    private static func note(
        _ revision: Int64, wanted: Int = 2, serving: Bool = false, drain: Duration = .seconds(300)
    ) -> RevisionNote {
        var note = RevisionNote(
            revision: revision, wanted: wanted, drainTime: drain, servingSince: serving ? start : nil)
        note.isProven = serving
        return note
    }

    private static func pod(
        _ revision: Int64, _ ordinal: Int, _ state: JSONValue = ["running": [:]], ready: Bool = true,
        restarts: Int64 = 0, metadata: JSONObject = [:]
    ) throws -> PodState {
        let id = try #require(WorkloadID("a"))
        let name = "\(WorkloadRevisions.name(of: id, revision: revision))-\(ordinal)"
        var whole: JSONObject = [
            "name": .string(name), "uid": .string(name), "creationTimestamp": .string(start.iso8601),
            "labels": [FieldNames.adapter: "a", FieldNames.revision: .string("\(revision)")],
        ]
        for member in metadata.members { whole.set(member.name, member.value) }
        let last: JSONValue = restarts > 0 ? ["terminated": ["exitCode": 1]] : [:]
        let object: JSONValue = [
            "metadata": .object(whole), "spec": ["nodeName": "node"],
            "status": [
                "podIP": "10.0.0.1", "conditions": [["type": "Ready", "status": ready ? "True" : "False"]],
                "containerStatuses": [
                    ["name": "server", "restartCount": .integer(restarts), "state": state, "lastState": last]
                ],
            ],
        ]
        return try #require(PodState(object))
    }

    private func steps(
        _ sets: [StatefulSetState], _ pods: [PodState], at seconds: Int64 = 1, released: Set<String> = []
    ) throws -> [ClusterRollout.Step] {
        let revisions = try #require(WorkloadRevisions(sets))
        return ClusterRollout(revisions: revisions, pods: pods) { released.contains($0.rawValue) }
            .steps(at: Self.after(seconds))
    }

    @Test("all that is wanted is there: nothing is done")
    func settled() throws {
        let set = try Self.set(1, Self.note(1, serving: true))
        let pods = try [Self.pod(1, 0), Self.pod(1, 1)]
        #expect(try steps([set], pods).isEmpty)
        #expect(try #require(WorkloadRevisions([set])).isSettled(pods))
    }

    @Test("a first revision is worth going back to once it was ready")
    func proven() throws {
        var note = Self.note(1, serving: true)
        note.isProven = false
        let set = try Self.set(1, note)
        #expect(try steps([set], [Self.pod(1, 0, ready: false)]).isEmpty)
        #expect(try steps([set], [Self.pod(1, 0)]) == [.prove("a")])
    }

    @Test("a new revision serves at the moment when all of its pods are ready, and not before")
    func serves() throws {
        let sets = try [Self.set(1, Self.note(1, serving: true)), Self.set(2, Self.note(2))]
        let old = try [Self.pod(1, 0), Self.pod(1, 1)]
        #expect(try steps(sets, old + [Self.pod(2, 0)]).isEmpty)
        #expect(try steps(sets, old + [Self.pod(2, 0), Self.pod(2, 1, ready: false)]).isEmpty)
        #expect(
            try steps(sets, old + [Self.pod(2, 0), Self.pod(2, 1)]) == [.serve("a-r2", isProven: true)])
    }

    @Test(
        "what was replaced loses its StatefulSet first, and then each pod when nobody needs it, whichever comes first")
    func drains() throws {
        let serving = try Self.set(2, Self.note(2, serving: true))
        let new = try [Self.pod(2, 0), Self.pod(2, 1)]
        let old = try [Self.pod(1, 0), Self.pod(1, 1)]
        #expect(
            try steps([Self.set(1, Self.note(1, serving: true)), serving], old + new, released: ["a-0.0"])
                == [.abandon("a")])
        #expect(try steps([serving], old + new).isEmpty)
        #expect(try steps([serving], old + new, released: ["a-0.0"]) == [.stop("a-0")])
        #expect(try steps([serving], old + new, at: 299).isEmpty)
        #expect(Set(try steps([serving], old + new, at: 300)) == [.stop("a-0"), .stop("a-1")])
    }

    @Test("a pod that drains and does not answer anyway is not waited for")
    func deadWhileDraining() throws {
        let serving = try Self.set(2, Self.note(2, wanted: 1, serving: true))
        let dead = try Self.pod(1, 0, ["terminated": ["exitCode": 1]], ready: false)
        #expect(try steps([serving], [dead, Self.pod(2, 0)]) == [.stop("a-0")])
    }

    @Test("a pod that does not start has its revision withdrawn; the old one goes on, and the new pods go")
    func withdraws() throws {
        let failing: JSONValue = ["waiting": ["reason": "CrashLoopBackOff"]]
        var note = Self.note(1, serving: true)
        let target = try Self.set(2, Self.note(2))
        let old = try [Self.pod(1, 0), Self.pod(1, 1)]
        func new(_ restarts: Int64) throws -> [PodState] {
            try [Self.pod(2, 0), Self.pod(2, 1, failing, ready: false, restarts: restarts)]
        }
        #expect(try steps([Self.set(1, note), target], old + new(1)).isEmpty)
        let withdrawal = RevisionNote.Withdrawal(
            template: "t2", generation: 2, ordinal: 1,
            message: "it ends again and again; the last time it ended with exit code 1")
        #expect(try steps([Self.set(1, note), target], old + new(2)) == [.withdraw(from: "a", withdrawal)])
        note.withdrawal = withdrawal
        #expect(try steps([Self.set(1, note), target], old + new(2)) == [.abandon("a-r2")])
        #expect(Set(try steps([Self.set(1, note)], old + new(2))) == [.stop("a-r2-0"), .stop("a-r2-1")])
        let revisions = try #require(WorkloadRevisions([Self.set(1, note)]))
        #expect(revisions.generation == 2 && revisions.withdrawal == withdrawal)
    }

    @Test("an image that can't be had, and a pod that finds no place, are waited for in minutes and not for ever")
    func overdue() throws {
        let sets = try [
            Self.set(1, Self.note(1, wanted: 1, serving: true)), Self.set(2, Self.note(2, wanted: 1)),
        ]
        let old = try Self.pod(1, 0)
        let noImage = try Self.pod(2, 0, ["waiting": ["reason": "ImagePullBackOff"]], ready: false)
        #expect(try steps(sets, [old, noImage], at: 120).isEmpty)
        #expect(try steps(sets, [old, noImage], at: 121).first.map(isWithdrawal) == true)
        let waiting = try Self.pod(2, 0, [:], ready: false)
        #expect(try steps(sets, [old, waiting], at: 600).isEmpty)
        #expect(try steps(sets, [old, waiting], at: 601).first.map(isWithdrawal) == true)
        #expect(try steps(sets, [old], at: 600).isEmpty)
        #expect(try steps(sets, [old], at: 601).first.map(isWithdrawal) == true)
    }

    private func isWithdrawal(_ step: ClusterRollout.Step) -> Bool {
        if case .withdraw = step { true } else { false }
    }

    @Test("a revision that never worked is replaced at once")
    func unproven() throws {
        var note = Self.note(1, serving: true)
        note.isProven = false
        let sets = try [Self.set(1, note), Self.set(2, Self.note(2))]
        #expect(try steps(sets, [Self.pod(1, 0, ready: false)]) == [.serve("a-r2", isProven: false)])
    }

    @Test("fewer pods go from the top, as their sessions do")
    func shrinks() throws {
        var note = Self.note(1, wanted: 1, serving: true)
        note.shrinkingSince = Self.after(10)
        let set = try Self.set(1, note, replicas: 3)
        let pods = try [Self.pod(1, 0), Self.pod(1, 1), Self.pod(1, 2)]
        #expect(try steps([set], pods, at: 20).isEmpty)
        #expect(try steps([set], pods, at: 20, released: ["a-1.0"]).isEmpty)
        #expect(try steps([set], pods, at: 20, released: ["a-2.0"]) == [.shrink("a", to: 2)])
        #expect(try steps([set], pods, at: 20, released: ["a-0.0", "a-1.0", "a-2.0"]) == [.shrink("a", to: 1)])
        #expect(try steps([set], pods, at: 310) == [.shrink("a", to: 1)])
    }

    @Test("no more than four revisions have pods at once")
    func crowded() throws {
        let sets = try [Self.set(4, Self.note(4, wanted: 1, serving: true)), Self.set(5, Self.note(5, wanted: 1))]
        let pods = try [1, 2, 3, 4, 5].map { try Self.pod($0, 0) }
        #expect(try steps(sets, pods).isEmpty)
        #expect(try steps(sets, Array(pods.dropFirst())) == [.serve("a-r5", isProven: true)])
    }

    @Test("a note is what it was once it is read again")
    func notes() {
        var note = Self.note(7, wanted: 3, serving: true, drain: .milliseconds(1500))
        note.shrinkingSince = Self.after(3)
        note.withdrawal = RevisionNote.Withdrawal(
            template: "t", generation: 9, ordinal: 1, message: "it \"ended\"\nwith exit code 3")
        #expect(RevisionNote(note.text) == note)
        #expect(RevisionNote("") == nil && RevisionNote("{}") == nil && RevisionNote(#"{"revision":0}"#) == nil)
    }

    @Test("names of StatefulSets stay within what the cluster takes, and differ as their workloads do")
    func names() throws {
        let long = try #require(WorkloadID(String(repeating: "a", count: 50)))
        let other = try #require(WorkloadID(String(repeating: "a", count: 49) + "b"))
        #expect(WorkloadRevisions.name(of: long, revision: 1) == long.rawValue)
        let names = [long, other].flatMap { id in [2, 17, 12_345].map { WorkloadRevisions.name(of: id, revision: $0) } }
        #expect(
            Set(names).count == 6
                && names.allSatisfy { $0.utf8.count <= 52 && WorkloadID.isLabel(String($0.suffix(50))) })
    }
}
