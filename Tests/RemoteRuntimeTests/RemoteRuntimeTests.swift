// SPDX-License-Identifier: MIT

import MemoryRuntime
import NIOCore
import NIOPosix
import RuntimeContract
import ServiceLifecycle
import Testing

@testable import RemoteRuntime

@Suite("Servers that somebody else runs")
struct RemoteRuntimeTests {
    private static let id = WorkloadID("away") ?? { preconditionFailure("a name") }()

    private func spec(_ ports: [Int], _ generation: Int64 = 1, host: String = "127.0.0.1", period: Int = 20)
        -> WorkloadSpec
    {
        WorkloadSpec(
            id: Self.id, generation: generation,
            source: .remote(ports.map { RemoteEndpoint(host: host, port: UInt16($0)) }), replicas: ports.count,
            readiness: ReadinessProbe(
                startupTimeout: .seconds(5), period: .milliseconds(period), timeout: .seconds(2), failureThreshold: 2))
    }

    private func runtime() -> RemoteRuntime {
        RemoteRuntime(backoff: Backoff(initial: .milliseconds(5), maximum: .milliseconds(20)))
    }

    /// Runs `driver` while `body` runs.
    private func with(_ driver: any RuntimeDriver, _ body: @escaping @Sendable () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await driver.run() }
            defer { group.cancelAll() }
            try await body()
        }
    }

    /// The first state of the workload that is as `isWanted` says, within ten seconds.
    private func state(
        _ driver: any RuntimeDriver, _ isWanted: @escaping @Sendable (WorkloadStatus?) -> Bool
    ) async throws -> WorkloadStatus? {
        try await withThrowingTaskGroup(of: WorkloadStatus?.self) { group in
            group.addTask {
                for await snapshot in driver.observe() where isWanted(snapshot.workloads[Self.id]) {
                    return snapshot.workloads[Self.id]
                }
                throw RuntimeError(.timedOut, "the driver ended")
            }
            group.addTask {
                try await Task.sleep(for: .seconds(10))
                throw RuntimeError(.timedOut, "never: \(String(describing: try? await driver.status(of: Self.id)))")
            }
            defer { group.cancelAll() }
            return try await group.next() ?? nil
        }
    }

    @Test("an address that answers HTTP is ready, with an incarnation that is the same for every gateway")
    func ready() async throws {
        let server = try await AnsweringServer.listen()
        for _ in 0..<2 {
            let driver = runtime()
            let port = server.port
            try await with(driver) {
                #expect(try await driver.apply(self.spec([port], host: "localhost")) == .created)
                let status = try await self.state(driver) { $0?.readyReplicas == 1 }
                #expect(status?.instances[0].endpoint == .tcp(host: "127.0.0.1", port: UInt16(port)))
                #expect(status?.image == "localhost:\(port)")
                #expect(status?.instances[0].incarnation == Incarnation("remote:localhost:\(port)"))
                #expect(try await driver.apply(self.spec([port], host: "localhost")) == .unchanged)
            }
        }
        #expect(server.hosts.allSatisfy { $0 == "Host: localhost:\(server.port)" })
        #expect(!server.hosts.isEmpty)
        try await server.close()
    }

    @Test("a server that is away is no hindrance for the others, and is taken up when it comes")
    func away() async throws {
        // An address of its own: nobody else's server takes the port while nothing listens there.
        let host = "127.0.0.9"
        let first = try await AnsweringServer.listen(host: host)
        let second = try await AnsweringServer.listen(host: host)
        let port = second.port
        try await second.close()
        let driver = runtime()
        try await with(driver) {
            _ = try await driver.apply(self.spec([first.port, port], host: host))
            let status = try await self.state(driver) {
                $0?.readyReplicas == 1 && $0?.instances.last?.phase == .backingOff
            }
            #expect(status?.instances.last?.reason != nil)
            #expect(status?.instances.last?.endpoint == nil)
            let back = try await AnsweringServer.listen(host: host, port: port)
            _ = try await self.state(driver) { $0?.readyReplicas == 2 }
            try await back.close()
            let gone = try await self.state(driver) { $0?.instances.last?.phase == .unready }
            #expect(gone?.instances.last?.endpoint != nil, "sessions may go on when it is back")
            let again = try await AnsweringServer.listen(host: host, port: port)
            _ = try await self.state(driver) { $0?.readyReplicas == 2 }
            try await again.close()
        }
        try await first.close()
    }

    @Test("a name without an address is told as such")
    func noName() async throws {
        let driver = runtime()
        try await with(driver) {
            _ = try await driver.apply(self.spec([80], host: "nothing.invalid"))
            let status = try await self.state(driver) { $0?.instances.first?.reason != nil }
            #expect(status?.instances[0].reason?.message.contains("nothing.invalid has no address") ?? false)
        }
    }

    @Test("what is removed is watched no longer")
    func removal() async throws {
        let server = try await AnsweringServer.listen()
        let driver = runtime()
        try await with(driver) {
            _ = try await driver.apply(self.spec([server.port]))
            _ = try await self.state(driver) { $0?.readyReplicas == 1 }
            try await driver.remove(Self.id, gracePeriod: .seconds(60))
            _ = try await self.state(driver) { $0 == nil }
            #expect(!driver.holds(Self.id))
        }
        try await server.close()
    }

    @Test("beside another driver, a workload is with the one that its source asks for, and moves when that changes")
    func beside() async throws {
        let server = try await AnsweringServer.listen()
        let memory = MemoryRuntime()
        let both = RuntimeWithRemotes(memory, runtime())
        try await with(both) {
            #expect(both.capabilities.sources == [.image, .command, .remote])
            _ = try await both.apply(self.spec([server.port]))
            _ = try await self.state(both) { $0?.readyReplicas == 1 && $0?.image == "127.0.0.1:\(server.port)" }
            #expect(memory.runningInstances == 0)
            var local = self.spec([], 2)
            local.source = .image(name: "i", version: "1")
            local.replicas = 1
            _ = try await both.apply(local)
            _ = try await self.state(both) { $0?.readyReplicas == 1 && $0?.image == "i:1" }
            #expect(memory.runningInstances == 1)
            _ = try await both.apply(self.spec([server.port], 3))
            _ = try await self.state(both) { $0?.readyReplicas == 1 && $0?.image == "127.0.0.1:\(server.port)" }
            #expect(memory.runningInstances == 0)
            try await both.remove(Self.id, gracePeriod: .zero)
            _ = try await self.state(both) { $0 == nil }
        }
        try await server.close()
    }

    @Test(
        "addresses where no server can be, but metadata of clouds, are not asked",
        arguments: [
            ("127.0.0.1", true), ("10.1.2.3", true), ("::1", true), ("2001:db8::1", true), ("169.254.169.254", false),
            ("0.0.0.0", false), ("224.0.0.1", false), ("::", false), ("fe80::1", false), ("ff02::1", false),
            ("::ffff:169.254.169.254", false),
        ])
    func servable(_ address: String, _ isServable: Bool) {
        #expect(NameResolution.isServable(address) == isServable)
    }
}
