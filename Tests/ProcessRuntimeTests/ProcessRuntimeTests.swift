// SPDX-License-Identifier: MIT

import Glibc
import Logging
import ProcessRuntime
import RuntimeContract
import Supervision
import Testing

@Suite("Local processes")
struct ProcessRuntimeTests {
    /// Runs a driver around `body`, and expects nothing to be left of its instances.
    private func withDriver(
        bridge: Bool = false, _ body: (ProcessRuntime, Programs) async throws -> Void
    ) async throws {
        let programs = try Programs()
        defer { programs.remove() }
        var environment = ChildEnvironment.inherited()
        environment["TEST_MARK"] = programs.directory
        let bridgePath = try programs.write(
            "bridge", "#!/bin/sh\nexec python3 -I -S \(programs.directory)/server.py \"$@\"\n")
        let runtime = ProcessRuntime(
            configuration: ProcessRuntimeConfiguration(
                stateDirectory: "\(programs.directory)/state", bridgeExecutable: bridge ? bridgePath : nil,
                baseEnvironment: environment, backoff: Backoff(initial: .milliseconds(20))),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await runtime.run() }
            // Cancellation, unlike the conformance suite's graceful shutdown.
            defer { group.cancelAll() }
            try await body(runtime, programs)
        }
        #expect(Processes.withVariable("TEST_MARK", programs.directory).isEmpty)
    }

    private func spec(_ command: Command, transport: Transport = .streamableHTTP) throws -> WorkloadSpec {
        WorkloadSpec(
            id: try #require(WorkloadID("w")), generation: 1, source: .command(command), transport: transport,
            gracePeriod: .milliseconds(300))
    }

    private func server(_ programs: Programs, _ flags: String...) -> Command {
        Command(executable: "python3", arguments: ["-I", "-S", "\(programs.directory)/server.py"] + flags)
    }

    private func wait(_ runtime: ProcessRuntime, _ phase: InstancePhase) async throws -> InstanceStatus {
        for await snapshot in runtime.observe() {
            let instance = snapshot.workloads.values.first?.instances.first
            if let instance, instance.phase == phase { return instance }
        }
        throw RuntimeError(.timedOut, "\(phase) was not seen")
    }

    @Test("grandchildren end with the instance, stubborn ones too", .timeLimit(.minutes(1)))
    func grandchildren() async throws {
        try await withDriver { runtime, programs in
            let spec = try spec(server(programs, "--child", "--stubborn"))
            _ = try await runtime.apply(spec)
            _ = try await wait(runtime, .ready)
            #expect(Processes.withVariable("TEST_MARK", programs.directory).count == 2)
            try await runtime.remove(spec.id, gracePeriod: .milliseconds(100))
        }
    }

    @Test("what an instance uses is that of its whole tree, orphans included", .timeLimit(.minutes(1)))
    func usage() async throws {
        try await withDriver { runtime, programs in
            let spec = try spec(server(programs, "--child"))
            _ = try await runtime.apply(spec)
            #expect(try await wait(runtime, .ready).usage == nil)
            let usage = try #require(try await runtime.status(of: spec.id).instances.first?.usage)
            #expect(usage.processes == Processes.withVariable("TEST_MARK", programs.directory).count)
            #expect(usage.processes == 2)
            #expect(usage.residentBytes > 1 << 20 && usage.residentBytes < 1 << 30)
            #expect(usage.cpuTime > .zero)
        }
    }

    @Test("cancellation ends instances that ignore SIGTERM", .timeLimit(.minutes(1)))
    func cancellation() async throws {
        try await withDriver { runtime, programs in
            _ = try await runtime.apply(try spec(server(programs, "--stubborn")))
            _ = try await wait(runtime, .ready)
        }
    }

    @Test("a program that can't be executed is named in the reason", .timeLimit(.minutes(1)))
    func missingProgram() async throws {
        try await withDriver { runtime, _ in
            _ = try await runtime.apply(try spec(Command(executable: "/no/such/program")))
            let instance = try await wait(runtime, .backingOff)
            #expect(instance.reason?.code == .startFailed)
            #expect(instance.reason?.message.hasPrefix("can't execute /no/such/program: No such file") == true)
        }
    }

    @Test("a server that never answers is killed after its time to start", .timeLimit(.minutes(1)))
    func startupTimeout() async throws {
        try await withDriver { runtime, programs in
            var spec = try spec(server(programs, "--mute"))
            spec.readiness = ReadinessProbe(startupTimeout: .milliseconds(300), timeout: .milliseconds(100))
            _ = try await runtime.apply(spec)
            #expect(try await wait(runtime, .backingOff).reason?.code == .startupTimedOut)
        }
    }

    @Test("a ready server that stops answering becomes unready, and ready again", .timeLimit(.minutes(1)))
    func unready() async throws {
        try await withDriver { runtime, programs in
            var spec = try spec(server(programs))
            spec.readiness = ReadinessProbe(
                period: .milliseconds(20), timeout: .milliseconds(500), failureThreshold: 2)
            _ = try await runtime.apply(spec)
            let before = try await wait(runtime, .ready)
            let frozen = try programs.write("frozen", "")
            #expect(try await wait(runtime, .unready).endpoint == before.endpoint)
            unlink(frozen)
            #expect(try await wait(runtime, .ready).incarnation == before.incarnation)
        }
    }

    @Test("a stdio server is started behind the bridge, on a socket", .timeLimit(.minutes(1)))
    func bridge() async throws {
        try await withDriver(bridge: true) { runtime, _ in
            _ = try await runtime.apply(try spec(Command(executable: "cat", arguments: ["-u"]), transport: .stdio))
            let instance = try await wait(runtime, .ready)
            guard case .unix(let path) = instance.endpoint else {
                Issue.record("not a socket: \(String(describing: instance.endpoint))")
                return
            }
            #expect(path.utf8.count <= 107)
        }
    }

    @Test("without a bridge stdio servers are refused")
    func noBridge() async throws {
        try await withDriver { runtime, _ in
            let spec = try spec(Command(executable: "cat"), transport: .stdio)
            #expect(throws: RuntimeError.self) { try runtime.validate(spec) }
        }
    }
}
