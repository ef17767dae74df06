// SPDX-License-Identifier: MIT

import HTTP
import JSON
import MemoryRuntime
import Model
import NIOCore
import RuntimeContract
import Store
import Testing

@testable import ControlPlane

@Suite("API: status and logs")
struct StatusAndLogsTests {
    @Test("a status shows every instance, and is healthy when all run what is wanted")
    func healthy() async throws {
        try await withGateway { gateway in
            try await gateway.create("a", ["replicaCount": 2])
            let status = try await gateway.status(of: "a") { $0["replicaStatus"] == "Healthy" }
            #expect(status["readyReplicas"] == 2)
            #expect(status["updatedReplicas"] == 2)
            #expect(status["availableReplicas"] == 2)
            #expect(status["observedGeneration"] == 1)
            #expect(status["image"] == "i:1")
            #expect(status["instances"]?[0]?["name"] == "a-0")
            #expect(status["instances"]?[1]?["ordinal"] == 1)
            #expect(status["instances"]?[0]?["phase"] == "ready")
            #expect(status["instances"]?[0]?["endpoint"]?.text?.isEmpty == false)
        }
    }

    @Test("an adapter that nothing was done for yet has a status")
    func untouched() async throws {
        try await withTemporaryFolder { folder in
            let gateway = try TestGateway(folder: folder)
            try await gateway.create("a")
            let status = try await gateway.send("GET", "/adapters/a/status").json
            #expect(status["replicaStatus"] == "Degraded: 0/1 ready")
            #expect(status["observedGeneration"] == 0)
            #expect(status["instances"] == .array([]))
            await gateway.store.close()
        }
    }

    @Test("an adapter with no replicas is healthy once nothing runs")
    func stopped() async throws {
        try await withGateway { gateway in
            let created = try await gateway.create("a")
            _ = try await gateway.status(of: "a") { $0["replicaStatus"] == "Healthy" }
            var body: JSONObject = ["imageName": "i", "imageVersion": "1", "replicaCount": 0]
            body.set("description", created.json["description"] ?? "")
            try await gateway.send("PUT", "/adapters/a", json: body)
            let status = try await gateway.status(of: "a") {
                $0["replicaStatus"] == "Healthy" && $0["readyReplicas"] == 0
            }
            #expect(status["replicaCount"] == 0)
        }
    }

    @Test("an instance that fails to start says why")
    func failing() async throws {
        let driver = MemoryRuntime { _, _ in SimulatedServer(startup: .exits("exit code 3")) }
        try await withGateway(driver: driver) { gateway in
            try await gateway.create("a")
            let status = try await gateway.status(of: "a") { status in
                status["instances"]?[0]?["reason"]?["message"]?.text?.contains("exit code 3") == true
                    && status["instances"]?[0]?["restarts"] != 0
            }
            #expect(status["replicaStatus"] == "Degraded: 0/1 ready")
        }
    }

    @Test("while the runtime can't be reached, the last known status is shown with the error")
    func unreachable() async throws {
        try await withGateway { gateway in
            try await gateway.create("a")
            _ = try await gateway.status(of: "a") { $0["replicaStatus"] == "Healthy" }
            gateway.driver.cutConnection()
            try await gateway.send("PUT", "/adapters/a", json: ["imageName": "i", "imageVersion": "2"])
            let status = try await gateway.status(of: "a") { $0["lastError"] != nil }
            #expect(status["lastError"]?["code"] == "unavailable")
            #expect(status["instances"]?[0]?["phase"] == "unknown")
            #expect(status["generation"] == 2)
            #expect(status["observedGeneration"] == 1)
            let logs = try await gateway.send("GET", "/adapters/a/logs")
            #expect((logs.status, logs.headers["Retry-After"] ?? "") == (503, "1"))
            gateway.driver.restoreConnection()
            let healed = try await gateway.status(of: "a") {
                $0["replicaStatus"] == "Healthy" && $0["lastError"] == nil
            }
            #expect(healed["observedGeneration"] == 2)
        }
    }

    @Test("degraded counts the ready ones, and surplus or old instances are not healthy")
    func degraded() throws {
        let adapter = Adapter(
            name: try #require(AdapterName("a")), uid: 1,
            spec: AdapterSpec(source: .image(name: "i", version: "1"), replicaCount: 3), generation: 2,
            createdBy: "ada",
            createdAt: Timestamp(millisecondsSinceEpoch: 0), lastUpdatedAt: Timestamp(millisecondsSinceEpoch: 0))
        let words = { (generations: [Int64], phases: [InstancePhase]) in
            let instances = zip(generations, phases).enumerated().map { ordinal, pair in
                InstanceStatus(
                    id: InstanceID(workload: adapter.name.workload, ordinal: ordinal), generation: pair.0, phase: pair.1
                )
            }
            let status = WorkloadStatus(
                id: adapter.name.workload, observedGeneration: 2, desiredReplicas: 3, image: "i", instances: instances)
            return StatusResource.json(adapter, status, failure: nil)["replicaStatus"]
        }
        #expect(words([2, 2, 2], [.ready, .ready, .ready]) == "Healthy")
        #expect(words([2, 2, 1], [.ready, .ready, .ready]) == "Degraded: 3/3 ready")
        #expect(words([2, 2, 2], [.ready, .starting, .unready]) == "Degraded: 1/3 ready")
        #expect(words([2, 2], [.ready, .ready]) == "Degraded: 2/3 ready")
        #expect(words([2, 2, 2, 1], [.ready, .ready, .ready, .draining]) == "Healthy")
        #expect(words([2, 2, 2], [.parked, .ready, .parked]) == "Healthy")
        #expect(words([2, 2, 1], [.ready, .ready, .parked]) == "Degraded: 2/3 ready")
    }

    private func talkative() -> MemoryRuntime {
        MemoryRuntime { _, _ in SimulatedServer(logLines: ["one", "two", "three"]) }
    }

    @Test("logs are the server's lines, cut as asked")
    func logs() async throws {
        try await withGateway(driver: talkative()) { gateway in
            try await gateway.create("a")
            _ = try await gateway.status(of: "a") { $0["replicaStatus"] == "Healthy" }
            let whole = try await gateway.send("GET", "/adapters/a/logs")
            #expect(whole.text == "one\ntwo\nthree\n")
            #expect(whole.headers["Content-Type"] == "text/plain; charset=utf-8")
            #expect(try await gateway.send("GET", "/adapters/a/logs?tailLines=2&instance=0").text == "two\nthree\n")
            #expect(try await gateway.send("GET", "/adapters/a/logs?tailLines=0").text.isEmpty)
            #expect(try await gateway.send("GET", "/adapters/a/logs?sinceSeconds=3600").text == whole.text)
            #expect(try await gateway.send("HEAD", "/adapters/a/logs").bytes.isEmpty)
            #expect(try await gateway.send("GET", "/adapters/a/logs?instance=7").code == "instanceNotFound")
            #expect(try await gateway.send("GET", "/adapters/a/logs?previous=true").code == "instanceNotFound")
        }
    }

    @Test("a followed log ends with the instance, and a reader that leaves is let go")
    func following() async throws {
        try await withGateway(driver: talkative()) { gateway in
            try await gateway.create("a")
            _ = try await gateway.status(of: "a") { $0["replicaStatus"] == "Healthy" }
            let request = HTTPRequest(
                method: "GET", path: "/adapters/a/logs", query: [(name: "follow", value: "true")],
                target: "/adapters/a/logs?follow=true")
            let response = await gateway.controlPlane.responder.respond(to: request)
            guard case .stream(let stream) = response.body else {
                Issue.record("a followed log is a stream")
                return
            }
            var text = ""
            while text.utf8.count < 14, let piece = await stream.next() { text += String(buffer: piece) }
            #expect(text == "one\ntwo\nthree\n")
            // Nothing more comes; the reader leaves.
            let last = await withTaskGroup(of: ByteBuffer?.self) { group in
                group.addTask { await stream.next() }
                group.cancelAll()
                return await group.next() ?? nil
            }
            #expect(last == nil)

            // Another one stays, and is told the end when the instance ends.
            let other = await gateway.controlPlane.responder.respond(to: request)
            #expect(try await gateway.send("DELETE", "/adapters/a").status == 204)
            #expect(await Answer(other).text.hasPrefix("one\ntwo\nthree\n"))
        }
    }
}
