// SPDX-License-Identifier: MIT

import HTTP
import JSON
import MemoryRuntime
import Model
import RuntimeContract
import Store
import Testing

@testable import ControlPlane

@Suite("Reconciler")
struct ReconcilerTests {
    private func name(_ text: String) throws -> AdapterName { try #require(AdapterName(text)) }

    @Test("what is created runs, and the data plane is told")
    func creation() async throws {
        try await withGateway { gateway in
            try await gateway.create("a", ["replicaCount": 2, "path": "/x"])
            let name = try name("a")
            try await eventually("both instances are known") {
                gateway.board.latest.endpoints.instances[name.workload]?.count == 2
            }
            #expect(gateway.board.latest.directory.routes[name]?.path == "/x")
        }
    }

    @Test("what is known of an image reaches the driver and the data plane")
    func imageDefaults() async throws {
        var configuration = ControlPlaneConfiguration.impatient
        configuration.imageDefaults = { name, version in
            name == "i" && version == "1" ? ImageDefaults(transport: .stdio, path: "/known") : nil
        }
        try await withGateway(configuration: configuration) { gateway in
            try await gateway.create("a")
            let name = try name("a")
            try await eventually("the data plane knows") { gateway.board.latest.directory.routes[name] != nil }
            #expect(gateway.board.latest.directory.routes[name]?.transport == .stdio)
            #expect(gateway.board.latest.directory.routes[name]?.path == "/known")
            _ = try await gateway.status(of: "a") { $0["replicaStatus"] == "Healthy" }
        }
    }

    @Test("a platform without workload identities is not asked for one")
    func workloadIdentity() async throws {
        try await withGateway { gateway in
            let created = try await gateway.create("a", ["useWorkloadIdentity": true])
            #expect(created.json["useWorkloadIdentity"] == true)
            _ = try await gateway.status(of: "a") { $0["replicaStatus"] == "Healthy" }
        }
    }

    @Test("where writes need the runtime, they are refused while it can't be reached, and nothing is stored")
    func writesNeedRuntime() async throws {
        var configuration = ControlPlaneConfiguration.impatient
        configuration.writesNeedRuntime = true
        try await withGateway(configuration: configuration) { gateway in
            try await gateway.create("a")
            _ = try await gateway.status(of: "a") { $0["replicaStatus"] == "Healthy" }
            let name = try name("a")
            let accepts = {
                gateway.board.latest.endpoints.instances[name.workload]?.first?.acceptsNewSessions == true
            }
            // The status is the driver's; the board hears of it a little later.
            try await eventually("it takes sessions", accepts)
            gateway.driver.cutConnection()
            let body: JSONObject = ["name": "b", "imageName": "i", "imageVersion": "1"]
            try await eventually("the loss is noticed") {
                try await gateway.send("POST", "/adapters", json: body).status == 503
            }
            let refused = try await gateway.send("DELETE", "/adapters/a")
            #expect((refused.status, refused.code ?? "") == (503, "unavailable"))
            #expect(refused.headers["Retry-After"] == "1")
            #expect(try await gateway.send("GET", "/adapters/a").status == 200)
            #expect(accepts())
            gateway.driver.restoreConnection()
            try await eventually("it can be written again") {
                [201, 409].contains(try await gateway.send("POST", "/adapters", json: body).status)
            }
        }
    }

    @Test(
        "what runs from before and is not stored is ended, but not where others may have made it",
        arguments: [true, false])
    func orphans(_ removes: Bool) async throws {
        var configuration = ControlPlaneConfiguration.impatient
        configuration.removesOrphans = removes
        let driver = MemoryRuntime()
        let other = try name("other").workload
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await driver.run() }
            _ = try await driver.apply(
                WorkloadSpec(id: other, generation: 1, source: .image(name: "i", version: "1")))
            try await withTemporaryFolder { folder in
                let gateway = try TestGateway(folder: folder, driver: driver, configuration: configuration)
                try await gateway.run(withDriver: false) {
                    try await gateway.create("a")
                    _ = try await gateway.status(of: "a") { $0["replicaStatus"] == "Healthy" }
                    guard removes else { return #expect(try await driver.isAbsent(other) == false) }
                    try await eventually("it is ended") { try await driver.isAbsent(other) }
                }
                await gateway.store.close()
            }
            group.cancelAll()
        }
    }

    @Test("a change reaches the driver, and the newest one wins")
    func changes() async throws {
        try await withGateway { gateway in
            try await gateway.create("a")
            for version in 2...20 {
                let body: JSONObject = ["imageName": "i", "imageVersion": .string(String(version))]
                #expect(try await gateway.send("PUT", "/adapters/a", json: body).status == 200)
            }
            let status = try await gateway.status(of: "a") { $0["replicaStatus"] == "Healthy" }
            #expect(status["observedGeneration"] == 20)
            #expect(status["image"] == "i:20")
        }
    }

    @Test(
        "a deleted adapter is out of the directory when the answer comes, and its name is free when its servers have ended"
    )
    func deletion() async throws {
        try await withGateway { gateway in
            let first = try await gateway.create("a")
            _ = try await gateway.status(of: "a") { $0["replicaStatus"] == "Healthy" }
            #expect(try await gateway.send("DELETE", "/adapters/a").status == 204)
            #expect(gateway.board.latest.directory.routes.isEmpty)
            #expect(try await gateway.send("GET", "/adapters/a").status == 404)
            #expect(try await gateway.send("DELETE", "/adapters/a").status == 404)
            #expect(try await gateway.send("GET", "/adapters").json == .array([]))
            let name = try name("a")
            try await eventually("the row is gone") { try await gateway.store.adapter(named: name) == nil }
            #expect(try await gateway.driver.isAbsent(name.workload))
            let second = try await gateway.create("a")
            #expect(second.json["id"] != first.json["id"])
            #expect(second.json["generation"] == 1)
            _ = try await gateway.status(of: "a") { $0["replicaStatus"] == "Healthy" }
        }
    }

    @Test("a name that is still being deleted can't be taken")
    func beingDeleted() async throws {
        try await withGateway { gateway in
            try await gateway.create("a")
            _ = try await gateway.status(of: "a") { $0["replicaStatus"] == "Healthy" }
            gateway.driver.cutConnection()
            #expect(try await gateway.send("DELETE", "/adapters/a").status == 204)
            let again = try await gateway.send(
                "POST", "/adapters", json: ["name": "a", "imageName": "i", "imageVersion": "1"])
            #expect((again.status, again.code ?? "") == (409, "adapterBeingDeleted"))
            gateway.driver.restoreConnection()
            let name = try name("a")
            try await eventually("the row is gone") { try await gateway.store.adapter(named: name) == nil }
            try await gateway.create("a")
        }
    }

    @Test("an adapter can be created right after one of its name was deleted")
    func createdRightAfterDeletion() async throws {
        var configuration = ControlPlaneConfiguration.impatient
        configuration.deletionTimeout = .seconds(60)
        try await withGateway(configuration: configuration) { gateway in
            let first = try await gateway.create("a")
            _ = try await gateway.status(of: "a") { $0["replicaStatus"] == "Healthy" }
            gateway.driver.cutConnection()
            #expect(try await gateway.send("DELETE", "/adapters/a").status == 204)
            async let second = gateway.create("a")
            gateway.driver.restoreConnection()
            #expect(try await second.json["id"] != first.json["id"])
            _ = try await gateway.status(of: "a") { $0["replicaStatus"] == "Healthy" }
        }
    }

    @Test("failures are tried again until they succeed")
    func retries() async throws {
        try await withGateway { gateway in
            try await eventually("it is ready") { try await gateway.send("GET", "/readyz").status == 200 }
            gateway.driver.cutConnection()
            try await gateway.create("a")
            let failing = try await gateway.status(of: "a") { status in
                if case .integer(let attempts) = status["lastError"]?["attempts"] { attempts > 2 } else { false }
            }
            #expect(failing["replicaStatus"] == "Degraded: 0/1 ready")
            gateway.driver.restoreConnection()
            _ = try await gateway.status(of: "a") { $0["replicaStatus"] == "Healthy" && $0["lastError"] == nil }
        }
    }

    @Test("the gateway is not ready before it knows what runs, and becomes ready when it does")
    func readiness() async throws {
        try await withTemporaryFolder { folder in
            let gateway = try TestGateway(folder: folder)
            let before = try await gateway.send("GET", "/readyz")
            #expect((before.status, before.code ?? "") == (503, "notReady"))
            #expect(before.headers["Retry-After"] == "1")
            #expect(try await gateway.send("GET", "/healthz").status == 200)
            gateway.driver.cutConnection()
            try await gateway.run {
                try await eventually("it says why") {
                    try await gateway.send("GET", "/readyz").json["detail"]?.text?.contains(": ") == true
                }
                try await gateway.create("a")
                gateway.driver.restoreConnection()
                try await eventually("it is ready") { try await gateway.send("GET", "/readyz").status == 200 }
                _ = try await gateway.status(of: "a") { $0["replicaStatus"] == "Healthy" }
            }
            #expect(try await gateway.send("GET", "/readyz").status == 503)
            await gateway.store.close()
        }
    }

    @Test("what the driver has lost is applied again")
    func drift() async throws {
        try await withGateway { gateway in
            try await gateway.create("a")
            _ = try await gateway.status(of: "a") { $0["replicaStatus"] == "Healthy" }
            try await gateway.driver.remove(try name("a").workload, gracePeriod: .zero)
            _ = try await gateway.status(of: "a") { $0["replicaStatus"] == "Healthy" }
        }
    }

    @Test("many adapters and many changes at once end as they were last wanted")
    func crowd() async throws {
        try await withGateway { gateway in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<20 {
                    group.addTask {
                        let name = "a\(number)"
                        try await gateway.create(name)
                        try await gateway.send(
                            "PUT", "/adapters/\(name)", json: ["imageName": "i", "imageVersion": "2"])
                        if number.isMultiple(of: 2) { try await gateway.send("DELETE", "/adapters/\(name)") }
                    }
                }
                try await group.waitForAll()
            }
            try await eventually("only the odd ones are left") {
                try await gateway.store.all().map(\.adapter.name.rawValue).count == 10
            }
            for number in 0..<20 {
                let name = try name("a\(number)")
                if number.isMultiple(of: 2) {
                    #expect(try await gateway.driver.isAbsent(name.workload))
                } else {
                    _ = try await gateway.status(of: name.rawValue) { status in
                        status["replicaStatus"] == "Healthy" && status["image"] == "i:2"
                    }
                }
            }
            #expect(gateway.board.latest.directory.routes.count == 10)
        }
    }
}

extension MemoryRuntime {
    /// Whether the driver knows nothing of `id`.
    func isAbsent(_ id: WorkloadID) async throws -> Bool {
        do {
            _ = try await status(of: id)
            return false
        } catch  where error.code == .notFound {
            return true
        }
    }
}
