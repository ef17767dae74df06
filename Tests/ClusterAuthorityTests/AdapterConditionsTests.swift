// SPDX-License-Identifier: MIT

import ControlPlane
import JSON
import Model
import RuntimeContract
import Testing

@testable import ClusterAuthority

@Suite("The status of the custom resource")
struct AdapterConditionsTests {
    private let id: WorkloadID
    private let now = Timestamp(millisecondsSinceEpoch: 1_785_231_000_000)

    init() throws {
        id = try #require(WorkloadID("mcp-example"))
    }

    private func instance(_ ordinal: Int, _ phase: InstancePhase, _ generation: Int64, _ reason: PhaseReason? = nil)
        -> InstanceStatus
    {
        InstanceStatus(
            id: InstanceID(workload: id, ordinal: ordinal), generation: generation, phase: phase, reason: reason)
    }

    private func progress(_ observed: Int64, _ instances: [InstanceStatus], failure: String? = nil) -> AdapterProgress {
        AdapterProgress(
            status: WorkloadStatus(
                id: id, observedGeneration: observed, desiredReplicas: instances.count, image: "mcp-example:1.0.0",
                instances: instances),
            failure: failure)
    }

    private func conditions(_ status: JSONObject) -> [String: String] {
        (status["conditions"]?.items ?? []).reduce(into: [:]) { all, condition in
            all[condition["type"]?.text ?? ""] = "\(condition["status"]?.text ?? "") \(condition["reason"]?.text ?? "")"
        }
    }

    @Test("an adapter is ready when every instance is, of the newest generation")
    func ready() throws {
        let object = try resource(spec: ["imageName": "mcp-example", "imageVersion": "1.0.0", "replicaCount": 2])
        let status = AdapterConditions.status(
            of: object, progress(3, [instance(0, .ready, 3), instance(1, .ready, 3)]), fault: nil, now: now)
        #expect(
            conditions(status) == [
                "Ready": "True Healthy", "Progressing": "False Complete", "Degraded": "False AsWanted",
            ])
        #expect(status["ready"] == "2/2")
    }

    @Test("of servers that somebody else runs all are wanted, or none")
    func remote() throws {
        let addresses: JSONValue = ["http://one.example.com/mcp", "http://two.example.com/mcp"]
        #expect(try resource(spec: ["url": addresses]).replicas == 2)
        #expect(try resource(spec: ["url": addresses, "replicaCount": 0]).replicas == 0)
        #expect(try resource(spec: ["url": "http://one.example.com/mcp", "replicaCount": 5]).replicas == 1)
    }

    @Test("an older generation still counts as on its way")
    func progressing() throws {
        let status = AdapterConditions.status(
            of: try resource(), progress(2, [instance(0, .ready, 2)]), fault: nil, now: now)
        #expect(
            conditions(status) == [
                "Ready": "False NotReady", "Progressing": "True Applying", "Degraded": "False AsWanted",
            ])
    }

    @Test("why an instance does not run is told")
    func degraded() throws {
        let reason = PhaseReason(.imageNotFound, "there is no such image")
        let status = AdapterConditions.status(
            of: try resource(), progress(3, [instance(0, .backingOff, 3, reason)]), fault: nil, now: now)
        #expect(conditions(status)["Degraded"] == "True ImageNotFound")
        #expect(status["conditions"]?.items.last?["message"] == "mcp-example-0: there is no such image")
    }

    @Test("a spec that can't be understood is told before anything else")
    func refused() throws {
        let status = AdapterConditions.status(
            of: try resource(), progress(2, [instance(0, .ready, 2)], failure: "something"), fault: "port must be",
            now: now)
        #expect(
            conditions(status) == [
                "Ready": "False NotReady", "Progressing": "False Refused", "Degraded": "True InvalidSpec",
            ])
    }

    @Test("the moment of a change is kept while nothing changes, and nothing is written then")
    func stable() throws {
        let wanted = progress(3, [instance(0, .ready, 3)])
        let first = AdapterConditions.status(of: try resource(), wanted, fault: nil, now: now)
        #expect(!AdapterConditions.shows(try resource(), first))
        let shown = try resource(status: .object(first))
        let later = Timestamp(millisecondsSinceEpoch: now.millisecondsSinceEpoch + 60_000)
        let second = AdapterConditions.status(of: shown, wanted, fault: nil, now: later)
        #expect(second == first)
        #expect(AdapterConditions.shows(shown, second))
        let third = AdapterConditions.status(
            of: shown, progress(3, [instance(0, .unready, 3)]), fault: nil, now: later)
        #expect(!AdapterConditions.shows(shown, third))
        #expect(third["conditions"]?.items.first?["lastTransitionTime"]?.text == later.iso8601)
        #expect(third["conditions"]?.items.last?["lastTransitionTime"]?.text == now.iso8601)
    }
}
