// SPDX-License-Identifier: MIT

import FoundationEssentials
import Glibc
import RuntimeConformance

/// Images for the node, made once: busybox and a script that behaves like a program of the suite.
actor TestImages {
    static let shared = TestImages()
    private var loading: Task<Void, any Error>?

    /// Loads all of them.
    func load() async throws {
        if let loading { return try await loading.value }
        // Runs to its end; whoever needs the images waits for it.
        let task = Task { try await Self.make() }
        loading = task
        try await task.value
    }

    static func image(_ program: ConformanceProgram) -> (name: String, version: String) {
        switch program {
        case .server: ("cluster.local/conformance-server", "1")
        case .newerServer: ("cluster.local/conformance-server", "2")
        case .stubbornServer: ("cluster.local/conformance-stubborn", "1")
        case .shoutingServer: ("cluster.local/conformance-shouting", "1")
        case .failing: ("cluster.local/conformance-failing", "1")
        }
    }

    private static func script(_ program: ConformanceProgram) -> String {
        let lines = "n=1; while [ $n -le \(ConformanceProgram.lineCount) ]; do echo line $n; n=$((n+1)); done"
        // The first process of a container gets signals only if it asks for them.
        let serve = "httpd -f -p $PORT -h /tmp & wait"
        switch program {
        case .server, .newerServer: return "trap 'exit 0' TERM; \(lines); \(serve)"
        case .stubbornServer: return "trap '' TERM; \(lines); \(serve)"
        case .shoutingServer:
            return "trap 'exit 0' TERM; "
                + "head -c \(ConformanceProgram.longLine) /dev/zero | tr '\\0' x; echo; echo after; \(serve)"
        case .failing: return "exit 3"
        }
    }

    private static func make() async throws {
        var template = Array("/tmp/conformance-image-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw TestCluster.Failure(command: "mkdtemp", output: "") }
        let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        try await TestCluster.run("mkdir", "\(folder)/bin", "\(folder)/tmp")
        let busybox = access("/bin/busybox", X_OK) == 0 ? "/bin/busybox" : "/usr/bin/busybox"
        try await TestCluster.run("cp", busybox, "\(folder)/bin/busybox")
        for tool in ["sh", "httpd", "head", "tr", "echo", "sleep"] {
            try await TestCluster.run("ln", "-s", "busybox", "\(folder)/bin/\(tool)")
        }
        let project = projectFolder(#filePath)
        for program in ConformanceProgram.allCases {
            let (name, version) = image(program)
            try script(program).write(toFile: "\(folder)/run.sh", atomically: true, encoding: .utf8)
            try await TestCluster.run(
                "\(project)/dev/cluster", "load-image", folder, "\(name):\(version)", "/bin/sh", "/run.sh")
        }
        try await TestCluster.run("rm", "-rf", folder)
    }

    /// The project's folder.
    private static func projectFolder(_ file: String) -> String {
        file.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")
    }
}
