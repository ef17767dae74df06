// SPDX-License-Identifier: MIT

import JSON
import RuntimeContract
import Testing

@testable import KubernetesRuntime

@Suite("What a pod says of its instance")
struct PodStateTests {
    private func status(
        _ state: JSONValue, ready: String = "True", containersReady: String = "True", restarts: Int64 = 0,
        last: JSONValue = [:], metadata: JSONObject = [:]
    ) throws -> InstanceStatus {
        var fields: JSONObject = [
            "name": "mcp-example-2", "uid": "u", "labels": [FieldNames.adapter: "mcp-example"],
        ]
        for member in metadata.members { fields.set(member.name, member.value) }
        let pod: JSONValue = [
            "metadata": .object(fields),
            "spec": ["nodeName": "node", "containers": [["name": .string(FieldNames.container)]]],
            "status": [
                "podIP": "10.0.0.7",
                "conditions": [
                    ["type": "Ready", "status": .string(ready), "lastTransitionTime": "2026-07-28T09:30:00Z"],
                    ["type": "ContainersReady", "status": .string(containersReady)],
                ],
                "containerStatuses": [
                    [
                        "name": .string(FieldNames.container), "restartCount": .integer(restarts), "state": state,
                        "lastState": last,
                    ]
                ],
            ],
        ]
        return try #require(PodState(pod)).status(generation: 1)
    }

    private let running: JSONValue = ["running": ["startedAt": "2026-07-28T09:00:00Z"]]

    @Test("one that runs and is ready takes sessions where it is")
    func ready() throws {
        let status = try status(running)
        #expect(status.phase == .ready && status.reason == nil && status.id.ordinal == 2)
        #expect(status.endpoint == .tcp(host: "10.0.0.7", port: 8000))
    }

    @Test("one whose probe fails keeps its sessions and takes no new ones")
    func unready() throws {
        let status = try status(running, ready: "False", containersReady: "False")
        #expect(status.phase == .unready && status.reason?.code == .probeFailed && status.endpoint != nil)
    }

    @Test("one whose node does not answer says so, and keeps its sessions")
    func nodeLost() throws {
        let status = try status(running, ready: "False", containersReady: "True")
        #expect(status.phase == .unready && status.reason?.code == .contactLost && status.endpoint != nil)
        #expect(status.reason?.message.contains("node") == true)
    }

    @Test("each start of its container is another life")
    func lives() throws {
        let first = try status(running)
        let second = try status(running, restarts: 1)
        #expect(first.incarnation != second.incarnation && first.incarnation != nil)
        #expect(try status(["waiting": ["reason": "ContainerCreating"]]).incarnation == nil)
    }

    @Test("how it ended is said in words")
    func endings() throws {
        func message(_ terminated: JSONValue) throws -> String? {
            try status(["terminated": terminated]).reason?.message
        }
        #expect(try message(["exitCode": 137, "reason": "OOMKilled"])?.contains("more memory") == true)
        #expect(try message(["exitCode": 137, "reason": "Error"])?.contains("SIGKILL") == true)
        #expect(try message(["exitCode": 3, "reason": "Error"]) == "it ended with exit code 3")
        let loop = try status(
            ["waiting": ["reason": "CrashLoopBackOff"]], last: ["terminated": ["exitCode": 137, "reason": "OOMKilled"]])
        #expect(loop.phase == .backingOff && loop.reason?.code == .outOfMemory)
    }

    @Test("one that is being deleted drains")
    func deleted() throws {
        let moment: JSONObject = ["deletionTimestamp": "2026-07-28T10:00:00Z"]
        #expect(try status(running, metadata: moment).phase == .draining)
        #expect(try status(["terminated": ["exitCode": 0]], metadata: moment).phase == .stopped)
    }
}
