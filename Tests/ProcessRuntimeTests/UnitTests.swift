// SPDX-License-Identifier: MIT

import Glibc
import Logging
import ProcessRuntime
import RuntimeContract
import Systemd
import Testing

@Suite("Units of systemd", .enabled(if: TestedManager.scope != nil, TestedManager.reason))
struct UnitTests {
    /// Runs a driver for `programs` around `body`.
    private func withDriver<R: Sendable>(
        _ programs: Programs, keeps: Bool = true, units: Bool = true, _ body: (ProcessRuntime) async throws -> R
    ) async throws -> R {
        var environment = ChildEnvironment.inherited()
        environment["TEST_MARK"] = programs.directory
        let bridge = try programs.write(
            "bridge", "#!/bin/sh\nexec python3 -I -S \(programs.directory)/server.py \"$@\"\n")
        let runtime = ProcessRuntime(
            configuration: ProcessRuntimeConfiguration(
                stateDirectory: "\(programs.directory)/state", bridgeExecutable: bridge, baseEnvironment: environment,
                backoff: Backoff(initial: .milliseconds(20)),
                units: units ? try await TestedManager.configuration(keepsInstances: keeps) : nil),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await runtime.run() }
            defer { group.cancelAll() }
            return try await body(runtime)
        }
    }

    private func spec(
        _ programs: Programs, _ flags: String..., replicas: Int = 1, transport: Transport = .streamableHTTP
    ) throws -> WorkloadSpec {
        WorkloadSpec(
            id: try #require(WorkloadID("w")), generation: 1,
            source: .command(
                Command(executable: "python3", arguments: ["-I", "-S", "\(programs.directory)/server.py"] + flags)),
            replicas: replicas, transport: transport, gracePeriod: .milliseconds(500))
    }

    private func ready(_ runtime: ProcessRuntime, _ count: Int = 1) async throws -> [InstanceStatus] {
        for await snapshot in runtime.observe() {
            let instances = snapshot.workloads.values.first?.instances ?? []
            if instances.count == count, instances.allSatisfy({ $0.phase == .ready }) { return instances }
        }
        throw RuntimeError(.timedOut, "\(count) ready instances were not seen")
    }

    private func running(_ programs: Programs) -> [Int32] { Processes.withVariable("TEST_MARK", programs.directory) }

    @Test(
        "a driver takes over what an earlier one has started, and nothing of it changes", .timeLimit(.minutes(1)),
        arguments: [Transport.streamableHTTP, .stdio])
    func takesOver(_ transport: Transport) async throws {
        let programs = try Programs()
        defer { programs.remove() }
        let spec = try spec(programs, "--lines=3", replicas: 2, transport: transport)
        let before = try await withDriver(programs) { runtime in
            _ = try await runtime.apply(spec)
            return try await ready(runtime, 2)
        }
        #expect(running(programs).count == 2)
        try await withDriver(programs) { runtime in
            let report = try await runtime.recover([spec])
            #expect(report == RecoveryReport(adopted: [spec.id]))
            let after = try await runtime.status(of: spec.id).instances
            #expect(after.map(\.incarnation) == before.map(\.incarnation))
            #expect(after.map(\.endpoint) == before.map(\.endpoint))
            #expect(after.allSatisfy { $0.phase == .ready })
            let again = try await runtime.recover([spec])
            #expect(again == report)
            try await runtime.remove(spec.id, gracePeriod: .milliseconds(500))
            #expect(running(programs).isEmpty)
        }
    }

    @Test("units are ended by a driver that runs child processes instead", .timeLimit(.minutes(1)))
    func anotherLauncher() async throws {
        let programs = try Programs()
        defer { programs.remove() }
        let spec = try spec(programs)
        let before = try await withDriver(programs) { runtime in
            _ = try await runtime.apply(spec)
            return try await ready(runtime)
        }
        let invocation = try #require(before.first?.incarnation)
        try await withDriver(programs, units: false) { runtime in
            _ = try await runtime.apply(spec)
            let after = try await ready(runtime)
            #expect(Processes.pid(of: try #require(after.first?.incarnation)) != nil, "it is a child process")
            #expect(Processes.withVariable("INVOCATION_ID", invocation.rawValue).isEmpty)
            #expect(running(programs).count == 1)
        }
        #expect(running(programs).isEmpty)
    }

    @Test("what is not wanted any more is an orphan, and its removal ends it", .timeLimit(.minutes(1)))
    func orphan() async throws {
        let programs = try Programs()
        defer { programs.remove() }
        let spec = try spec(programs, replicas: 2)
        try await withDriver(programs) { runtime in
            _ = try await runtime.apply(spec)
            _ = try await ready(runtime, 2)
        }
        try await withDriver(programs) { runtime in
            let report = try await runtime.recover([])
            #expect(report == RecoveryReport(orphaned: [spec.id]))
            #expect(running(programs).count == 2)
            try await runtime.remove(spec.id, gracePeriod: .milliseconds(500))
            #expect(running(programs).isEmpty)
        }
    }

    private func wait(
        _ runtime: ProcessRuntime, until condition: (WorkloadStatus) -> Bool
    ) async throws -> WorkloadStatus {
        for await snapshot in runtime.observe() {
            if let status = snapshot.workloads.values.first, condition(status) { return status }
        }
        throw RuntimeError(.timedOut, "it was not seen")
    }

    @Test("what was changed while no driver ran is rolled out beside what runs", .timeLimit(.minutes(1)))
    func changedMeanwhile() async throws {
        let programs = try Programs()
        defer { programs.remove() }
        var spec = try spec(programs, replicas: 2)
        let before = try await withDriver(programs) { runtime in
            _ = try await runtime.apply(spec)
            return try await ready(runtime, 2)
        }
        spec.generation = 2
        spec.replicas = 1
        spec.environment = ["NEW": "1"]
        let changed = spec
        try await withDriver(programs) { runtime in
            _ = try await runtime.recover([changed])
            let both = try await wait(runtime) { $0.instances.map(\.phase) == [.ready, .draining, .draining] }
            #expect(both.instances.dropFirst().map(\.incarnation) == before.map(\.incarnation))
            #expect(both.instances.dropFirst().map(\.endpoint) == before.map(\.endpoint))
            #expect(running(programs).count == 3)
        }
        // Once more, in the middle of it: the one that serves and those that drain are all taken over.
        try await withDriver(programs) { runtime in
            _ = try await runtime.recover([changed])
            let both = try await wait(runtime) { $0.instances.map(\.phase) == [.ready, .draining, .draining] }
            #expect(both.instances.dropFirst().map(\.incarnation) == before.map(\.incarnation))
            var impatient = changed
            impatient.generation = 3
            impatient.drainTime = .zero
            _ = try await runtime.apply(impatient)
            _ = try await ready(runtime)
            #expect(running(programs).count == 1)
            try await runtime.remove(changed.id, gracePeriod: .milliseconds(500))
        }
        #expect(running(programs).isEmpty)
    }

    @Test("a change that was made while no driver ran, and fails, leaves what runs alone", .timeLimit(.minutes(1)))
    func failedMeanwhile() async throws {
        let programs = try Programs()
        defer { programs.remove() }
        var spec = try spec(programs)
        let before = try await withDriver(programs) { runtime in
            _ = try await runtime.apply(spec)
            return try await ready(runtime)
        }
        spec.generation = 2
        spec.source = .command(Command(executable: "sh", arguments: ["-c", "exit 3"]))
        let broken = spec
        try await withDriver(programs) { runtime in
            _ = try await runtime.recover([broken])
            let status = try await wait(runtime) { $0.failure?.code == .rolledBack }
            #expect(status.failure?.message.contains("what ran before goes on") == true)
            #expect(status.instances.first?.incarnation == before.first?.incarnation)
            #expect(status.instances.first?.phase == .ready)
            try await runtime.remove(broken.id, gracePeriod: .milliseconds(500))
        }
        #expect(running(programs).isEmpty)
    }

    @Test("the environment arrives byte by byte, and the manager shows none of it", .timeLimit(.minutes(1)))
    func environment() async throws {
        let programs = try Programs()
        defer { programs.remove() }
        let values = [
            "PLAIN": "b1rd-0f-paradise", "QUOTES": "a\"b'c`d", "DOLLAR": "$HOME ${PATH} $$", "SLASH": #"\n\\ \"#,
            "LINES": "one\ntwo\n\n three ", "HASH": "# no comment ; none", "UNICODE": "Überraschung 🐦", "EMPTY": "",
            "PERCENT": "%h %i %%", "TRAILING": "ends with \\",
        ]
        var spec = try spec(programs, "$HOME", "%h", "$$", "a b", transport: .streamableHTTP)
        spec.secretEnvironment = values.mapValues(Secret.init)
        let wanted = spec
        try await withDriver(programs, keeps: false) { runtime in
            _ = try await runtime.apply(wanted)
            _ = try await ready(runtime)
            let pid = try #require(running(programs).first)
            let variables = try #require(Processes.contents("/proc/\(pid)/environ")).split(separator: 0)
            for (name, value) in values {
                #expect(variables.contains { $0.elementsEqual("\(name)=\(value)".utf8) }, "\(name)")
            }
            let arguments = try #require(Processes.contents("/proc/\(pid)/cmdline")).split(separator: 0)
            #expect(arguments.suffix(4).map { String(decoding: $0, as: UTF8.self) } == ["$HOME", "%h", "$$", "a b"])
            let shown = try await show()
            #expect(shown.contains("MCP_GATEWAY_LAUNCH="))
            #expect(!shown.contains("b1rd-0f-paradise"))
        }
        #expect(running(programs).isEmpty)
    }

    /// What `systemctl show` says of all our units.
    private func show() async throws -> String {
        let pipe = popen(
            "systemctl \(TestedManager.scope == .user ? "--user" : "--system") show 'mcp-gateway-*' --all", "r")
        var text = ""
        var line = [CChar](repeating: 0, count: 65536)
        while fgets(&line, Int32(line.count), pipe) != nil {
            text += String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
        #expect(pclose(pipe) == 0)
        return text
    }

    @Test("nothing is left of a unit, whatever it has started", .timeLimit(.minutes(1)))
    func grandchildren() async throws {
        let programs = try Programs()
        defer { programs.remove() }
        let spec = try spec(programs, "--child", "--stubborn")
        try await withDriver(programs, keeps: false) { runtime in
            _ = try await runtime.apply(spec)
            let before = try await ready(runtime)
            #expect(running(programs).count == 2)
            let usage = try #require(try await runtime.status(of: spec.id).instances.first?.usage)
            #expect(usage.processes == 2 && usage.residentBytes > 1 << 20 && usage.cpuTime > .zero)
            let invocation = try #require(before.first?.incarnation)
            for pid in Processes.withVariable("INVOCATION_ID", invocation.rawValue).prefix(1) { kill(pid, SIGKILL) }
            for await snapshot in runtime.observe() {
                let now = snapshot.workloads.values.first?.instances.first
                if let now, now.phase == .ready, now.incarnation != invocation { break }
            }
            #expect(Processes.withVariable("INVOCATION_ID", invocation.rawValue).isEmpty)
        }
        #expect(running(programs).isEmpty)
    }

    @Test("a program that can't be executed is said to be so", .timeLimit(.minutes(1)))
    func notExecutable() async throws {
        let programs = try Programs()
        defer { programs.remove() }
        var spec = try spec(programs)
        spec.source = .command(Command(executable: try programs.write("text", "no program", mode: 0o755)))
        let wanted = spec
        try await withDriver(programs, keeps: false) { runtime in
            _ = try await runtime.apply(wanted)
            for await snapshot in runtime.observe() {
                guard let now = snapshot.workloads.values.first?.instances.first, now.phase == .backingOff else {
                    continue
                }
                #expect(now.reason?.code == .startFailed)
                #expect(now.reason?.message.contains("can't execute") == true)
                break
            }
        }
    }

    @Test("limits that no control group enforces are not claimed")
    func limits() async throws {
        let configuration = try await TestedManager.configuration(keepsInstances: false)
        #expect(configuration.enforceableLimits.contains(.openFiles))
        let controllers = Processes.contents("/sys/fs/cgroup/cgroup.controllers") ?? []
        if controllers.count <= 1 { #expect(configuration.enforceableLimits == [.openFiles]) }
    }
}
