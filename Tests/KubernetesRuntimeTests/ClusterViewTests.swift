// SPDX-License-Identifier: MIT

import JSON
import RuntimeContract
import Testing

@testable import KubernetesRuntime

@Suite("The view of a cluster")
struct ClusterViewTests {
    private static func metadata(_ name: String, _ adapter: String, _ annotations: [String: String] = [:]) -> JSONValue
    {
        [
            "name": .string(name), "uid": .string("uid-\(name)"), "resourceVersion": "1",
            "labels": [FieldNames.adapter: .string(adapter)], "annotations": .strings(annotations),
        ]
    }

    private static func set(_ name: String, replicas: Int64, generation: Int = 1) -> JSONValue {
        [
            "metadata": metadata(name, name, [FieldNames.generation: "\(generation)"]),
            "spec": ["replicas": .integer(replicas)],
        ]
    }

    private static func pod(_ adapter: String, _ ordinal: Int, ready: Bool = true, restarts: Int64 = 0) -> JSONValue {
        [
            "metadata": metadata("\(adapter)-\(ordinal)", adapter), "spec": ["nodeName": "node"],
            "status": [
                "podIP": "10.0.0.1", "conditions": [["type": "Ready", "status": ready ? "True" : "False"]],
                "containerStatuses": [
                    ["name": "server", "restartCount": .integer(restarts), "state": ["running": [:]]]
                ],
            ],
        ]
    }

    private static func list(_ objects: [JSONValue]) -> JSONValue {
        ["metadata": ["resourceVersion": "1"], "items": .array(objects)]
    }

    private static func event(_ type: String, _ object: JSONValue) -> JSONValue {
        ["type": .string(type), "object": object]
    }

    private func id(_ name: String) throws -> WorkloadID { try #require(WorkloadID(name)) }

    @Test("nothing is known before both were listed; then all is")
    func lists() throws {
        var sets = WatchMachine<StatefulSetState>()
        var pods = WatchMachine<PodState>()
        var view = ClusterView()
        sets.listed(Self.list([Self.set("one", replicas: 2)]))
        view.follow(sets)
        #expect(!view.isKnown)
        pods.listed(Self.list([Self.pod("one", 0), Self.pod("orphan", 3)]))
        view.follow(pods)
        view.refresh()
        #expect(view.isKnown && view.snapshot.isReachable)
        let one = try #require(view.snapshot.workloads[id("one")])
        #expect(one.instances.map(\.phase) == [.ready, .pending] && one.desiredReplicas == 2)
        let orphan = try #require(view.snapshot.workloads[id("orphan")])
        #expect(orphan.instances.map(\.id.ordinal) == [3] && orphan.desiredReplicas == 0)
    }

    @Test("without contact all is unknown and keeps its endpoint, and is as before when contact is back")
    func contact() throws {
        var sets = WatchMachine<StatefulSetState>()
        var pods = WatchMachine<PodState>()
        var view = ClusterView()
        sets.listed(Self.list([Self.set("one", replicas: 1)]))
        pods.listed(Self.list([Self.pod("one", 0)]))
        view.follow(sets)
        view.follow(pods)
        view.refresh()
        let before = view.snapshot
        for _ in 0..<2 { pods.failed(KubernetesError(.unavailable, "gone"), random: 0) }
        pods.told()
        view.follow(pods)
        view.refresh()
        let instance = try #require(view.snapshot.workloads[id("one")]?.instances.first)
        #expect(!view.snapshot.isReachable && instance.phase == .unknown && instance.endpoint != nil)
        pods.watching()
        view.follow(pods)
        view.refresh()
        #expect(view.snapshot == before)
    }

    @Test("what follows from each change alone is what follows from all there is", arguments: 1...20)
    func changes(seed: UInt64) {
        var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
        func random(_ bound: UInt64) -> Int {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return Int(state % bound)
        }
        var sets = WatchMachine<StatefulSetState>()
        var pods = WatchMachine<PodState>()
        var view = ClusterView()
        sets.listed(Self.list([]))
        pods.listed(Self.list([]))
        view.follow(sets)
        view.follow(pods)
        var presentSets: [String: JSONValue] = [:]
        var presentPods: [String: JSONValue] = [:]
        for _ in 0..<200 {
            let adapter = ["a", "a-1", "b"][random(3)]
            switch random(6) {
            case 0:
                let set = Self.set(adapter, replicas: Int64(random(4)), generation: random(3))
                presentSets[adapter] = set
                _ = sets.received(Self.event("MODIFIED", set))
            case 1:
                guard let set = presentSets.removeValue(forKey: adapter) else { continue }
                _ = sets.received(Self.event("DELETED", set))
            case 2...4:
                let ordinal = random(3)
                let pod = Self.pod(adapter, ordinal, ready: random(2) == 0, restarts: Int64(random(3)))
                presentPods["\(adapter)-\(ordinal)"] = pod
                _ = pods.received(Self.event("ADDED", pod))
            default:
                guard let pod = presentPods.removeValue(forKey: "\(adapter)-\(random(3))") else { continue }
                _ = pods.received(Self.event("DELETED", pod))
            }
            // Now and then several changes are taken up at once, or the contact is lost for a while.
            guard random(3) > 0 else { continue }
            if random(10) == 0 { for _ in 0..<2 { pods.failed(KubernetesError(.unavailable, ""), random: 0) } }
            if random(5) == 0 { pods.watching() }
            view.follow(sets)
            sets.told()
            view.follow(pods)
            pods.told()
            view.refresh()

            var wholeSets = WatchMachine<StatefulSetState>()
            var wholePods = WatchMachine<PodState>()
            wholeSets.listed(Self.list(Array(presentSets.values)))
            wholePods.listed(Self.list(Array(presentPods.values)))
            if !pods.isInContact { for _ in 0..<2 { wholePods.failed(KubernetesError(.unavailable, ""), random: 0) } }
            var whole = ClusterView()
            whole.follow(wholeSets)
            whole.follow(wholePods)
            whole.refresh()
            #expect(view.snapshot == whole.snapshot)
        }
    }
}
