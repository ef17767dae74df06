// SPDX-License-Identifier: MIT

import MemoryRuntime
import RuntimeConformance
import RuntimeContract

/// The in-memory driver, with simulated programs.
struct MemoryHarness: ConformanceHarness {
    private let runtime: MemoryRuntime
    let capacity = 10

    init() {
        runtime = MemoryRuntime(capacity: 10) { spec, _ in
            var server = SimulatedServer(logLines: (1...ConformanceProgram.lineCount).map { "line \($0)" })
            guard case .image(let name, _, _) = spec.source else { return server }
            switch name {
            case "stubborn": server.ignoresTermination = true
            case "shouting": server.logLines = [String(repeating: "x", count: ConformanceProgram.longLine), "after"]
            case "failing": server.startup = .exits("exit code 3")
            default: break
            }
            return server
        }
    }

    var driver: any RuntimeDriver { runtime }

    func source(_ program: ConformanceProgram) -> WorkloadSource {
        switch program {
        case .server: .image(name: "server", version: "1")
        case .newerServer: .image(name: "server", version: "2")
        case .stubbornServer: .image(name: "stubborn", version: "1")
        case .shoutingServer: .image(name: "shouting", version: "1")
        case .failing: .image(name: "failing", version: "1")
        }
    }

    func spoil(_ spec: WorkloadSpec) -> WorkloadSpec {
        var spec = spec
        spec.source = .image(name: "", version: "1")
        return spec
    }

    func kill(_ instance: InstanceID) async throws { runtime.killInstance(instance) }
    func countRunning() async throws -> Int { runtime.runningInstances }
    func cutConnection() async throws { runtime.cutConnection() }
    func restoreConnection() async throws { runtime.restoreConnection() }
}
