// SPDX-License-Identifier: MIT

import JSON
import MemoryRuntime
import Model
import RuntimeContract
import Store
import Testing

@testable import ControlPlane

/// Each test stops a gateway between two steps and starts another one on the same database.
///
/// A step that the crashed gateway had come to is done by hand, everything behind it is left out: that is what is on
/// the disk and in the runtime after a crash there.
@Suite("Crashes between two steps")
struct CrashTests {
    private func name(_ text: String) throws -> AdapterName { try #require(AdapterName(text)) }

    private func becomesHealthy(folder: String, driver: MemoryRuntime = MemoryRuntime(), generation: Int64) async throws
    {
        let gateway = try TestGateway(folder: folder, driver: driver)
        try await gateway.run {
            let status = try await gateway.status(of: "a") { $0["replicaStatus"] == "Healthy" }
            #expect(status["observedGeneration"] == .integer(generation))
            #expect(gateway.board.latest.directory.routes.count == 1)
        }
        await gateway.store.close()
    }

    private func becomesEmpty(folder: String, driver: MemoryRuntime) async throws {
        let gateway = try TestGateway(folder: folder, driver: driver)
        try await gateway.run(withDriver: false) {
            try await eventually("the row is gone") { try await gateway.store.all().isEmpty }
            #expect(try await driver.isAbsent(try name("a").workload))
            #expect(gateway.board.latest.directory.routes.isEmpty)
            try await gateway.create("a")
            _ = try await gateway.status(of: "a") { $0["replicaStatus"] == "Healthy" }
        }
        await gateway.store.close()
    }

    @Test("created and stored, not applied")
    func storedNotApplied() async throws {
        try await withTemporaryFolder { folder in
            let crashed = try TestGateway(folder: folder)
            try await crashed.create("a")
            await crashed.store.close()
            try await becomesHealthy(folder: folder, generation: 1)
        }
    }

    @Test("applied; the instances died with the gateway")
    func appliedAndLost() async throws {
        try await withTemporaryFolder { folder in
            let crashed = try TestGateway(folder: folder)
            try await crashed.run {
                try await crashed.create("a")
                _ = try await crashed.status(of: "a") { $0["replicaStatus"] == "Healthy" }
            }
            await crashed.store.close()
            try await becomesHealthy(folder: folder, generation: 1)
        }
    }

    @Test("changed and stored, not applied")
    func changedNotApplied() async throws {
        try await withTemporaryFolder { folder in
            let crashed = try TestGateway(folder: folder)
            try await crashed.run {
                try await crashed.create("a")
                _ = try await crashed.status(of: "a") { $0["replicaStatus"] == "Healthy" }
            }
            // Nobody reconciles any more.
            try await crashed.send("PUT", "/adapters/a", json: ["imageName": "i", "imageVersion": "2"])
            await crashed.store.close()
            try await becomesHealthy(folder: folder, generation: 2)
        }
    }

    @Test("deleted and stored, not removed")
    func deletedNotRemoved() async throws {
        try await withTemporaryFolder { folder in
            try await withRunning(MemoryRuntime()) { driver in
                let crashed = try TestGateway(folder: folder, driver: driver)
                try await crashed.run(withDriver: false) {
                    try await crashed.create("a")
                    _ = try await crashed.status(of: "a") { $0["replicaStatus"] == "Healthy" }
                }
                #expect(try await crashed.send("DELETE", "/adapters/a").status == 204)
                #expect(try await !driver.isAbsent(try name("a").workload))
                await crashed.store.close()
                try await becomesEmpty(folder: folder, driver: driver)
            }
        }
    }

    @Test("deleted and removed, the tombstone still there")
    func removedNotForgotten() async throws {
        try await withTemporaryFolder { folder in
            try await withRunning(MemoryRuntime()) { driver in
                let crashed = try TestGateway(folder: folder, driver: driver)
                try await crashed.run(withDriver: false) {
                    try await crashed.create("a")
                    _ = try await crashed.status(of: "a") { $0["replicaStatus"] == "Healthy" }
                }
                #expect(try await crashed.send("DELETE", "/adapters/a").status == 204)
                try await driver.remove(try name("a").workload, gracePeriod: .zero)
                await crashed.store.close()
                try await becomesEmpty(folder: folder, driver: driver)
            }
        }
    }

    @Test("created and deleted, never applied")
    func neverApplied() async throws {
        try await withTemporaryFolder { folder in
            try await withRunning(MemoryRuntime()) { driver in
                let crashed = try TestGateway(folder: folder, driver: driver)
                try await crashed.create("a")
                #expect(try await crashed.send("DELETE", "/adapters/a").status == 204)
                await crashed.store.close()
                try await becomesEmpty(folder: folder, driver: driver)
            }
        }
    }

    @Test("a restarted control plane on a driver that went on changes nothing that runs")
    func adopted() async throws {
        try await withTemporaryFolder { folder in
            try await withRunning(MemoryRuntime()) { driver in
                let id = try name("a").workload
                let crashed = try TestGateway(folder: folder, driver: driver)
                try await crashed.run(withDriver: false) {
                    try await crashed.create("a")
                    _ = try await crashed.status(of: "a") { $0["replicaStatus"] == "Healthy" }
                }
                await crashed.store.close()
                let before = try await driver.status(of: id)
                let next = try TestGateway(folder: folder, driver: driver)
                try await next.run(withDriver: false) {
                    try await eventually("it is ready") { try await next.send("GET", "/readyz").status == 200 }
                    try await eventually("the data plane knows") {
                        next.board.latest.endpoints.instances[id]?.count == 1
                            && next.board.latest.directory.routes.count == 1
                    }
                    #expect(try await driver.status(of: id) == before)
                }
                await next.store.close()
            }
        }
    }

    private func withRunning(_ driver: MemoryRuntime, _ body: (MemoryRuntime) async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await driver.run() }
            try await body(driver)
            group.cancelAll()
        }
    }
}
