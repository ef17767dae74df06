// SPDX-License-Identifier: MIT

import Glibc
import Logging
import ProcessRuntime
import RuntimeConformance
import RuntimeContract
import Supervision

/// The process driver with child processes or units, and programs in Python.
struct ProcessHarness: ConformanceHarness {
    let driver: any RuntimeDriver
    let capacity = 10
    private let programs: Programs
    private let mark: String

    init(units: UnitConfiguration? = nil) throws {
        let programs = try Programs()
        let mark = programs.directory
        var environment = ChildEnvironment.inherited()
        environment["CONFORMANCE_MARK"] = mark
        let images = ConformanceProgram.allCases.map { program in
            let (name, version, arguments) = Self.image(program)
            return Catalogue.Image(
                name: name, version: version,
                command: program == .failing
                    ? Command(executable: "sh", arguments: ["-c", "exit 3"])
                    : Command(
                        executable: "python3",
                        arguments: ["-I", "-S", "\(programs.directory)/server.py"] + arguments))
        }
        self.programs = programs
        self.mark = mark
        driver = ProcessRuntime(
            configuration: ProcessRuntimeConfiguration(
                stateDirectory: "\(programs.directory)/state", catalogue: Catalogue(images), capacity: 10,
                baseEnvironment: environment,
                backoff: Backoff(initial: .milliseconds(20), maximum: .milliseconds(200)), units: units),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    func remove() { programs.remove() }

    private static func image(_ program: ConformanceProgram) -> (String, String, [String]) {
        let lines = "--lines=\(ConformanceProgram.lineCount)"
        return switch program {
        case .server: ("server", "1", [lines])
        case .newerServer: ("server", "2", [lines])
        case .stubbornServer: ("stubborn", "1", [lines, "--stubborn"])
        case .shoutingServer: ("shouting", "1", ["--shout=\(ConformanceProgram.longLine)"])
        case .failing: ("failing", "1", [])
        }
    }

    func source(_ program: ConformanceProgram) -> WorkloadSource {
        let (name, version, _) = Self.image(program)
        return .image(name: name, version: version)
    }

    func spoil(_ spec: WorkloadSpec) -> WorkloadSpec {
        var spec = spec
        spec.source = .image(name: "server", version: "no such version")
        return spec
    }

    func kill(_ instance: InstanceID) async throws {
        let status = try await driver.status(of: instance.workload)
        let incarnation = status.instances.first { $0.id == instance }?.incarnation
        guard let incarnation else { return }
        if let pid = Processes.pid(of: incarnation) {
            Glibc.kill(pid, SIGKILL)
        } else {
            // A unit's incarnation is its invocation, which systemd puts into the environment.
            for pid in Processes.withVariable("INVOCATION_ID", incarnation.rawValue) { Glibc.kill(pid, SIGKILL) }
        }
    }

    func countRunning() async throws -> Int { Processes.withVariable("CONFORMANCE_MARK", mark).count }
    func cutConnection() async throws {}
    func restoreConnection() async throws {}
}
