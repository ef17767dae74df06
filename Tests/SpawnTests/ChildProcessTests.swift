// SPDX-License-Identifier: MIT

import Glibc
import Spawn
import Testing

@Suite("Child processes")
struct ChildProcessTests {
    private let environment = ["PATH": "/usr/local/bin:/usr/bin:/bin"]

    private func run(
        _ script: String, environment: [String: String]? = nil, workingDirectory: String? = nil,
        limits: SpawnLimits = SpawnLimits()
    ) async throws -> (output: String, status: Spawn.ExitStatus) {
        let pipe = try DescriptorPair.pipe()
        let child = try ChildProcess.spawn(
            executable: "sh", arguments: ["-c", script], environment: environment ?? self.environment,
            workingDirectory: workingDirectory, stdout: pipe.writeEnd, stderr: pipe.writeEnd, limits: limits)
        close(pipe.writeEnd)
        let output = readAll(pipe.readEnd)
        return (output, await child.waitForExit())
    }

    @Test("an exit code is reported")
    func exitCode() async throws {
        let (output, status) = try await run("echo out; echo err >&2; exit 3")
        #expect(output == "out\nerr\n")
        #expect(status == .exited(code: 3))
        #expect(status.description == "exit code 3")
    }

    @Test("a signal that ends the program is named")
    func signalled() async throws {
        let (_, status) = try await run("kill -9 $$")
        #expect(status.description == "killed by SIGKILL (signal 9)")
    }

    @Test("a callback set after the end is called at once")
    func lateCallback() async throws {
        let child = try ChildProcess.spawn(executable: "true", environment: environment)
        _ = await child.waitForExit()
        await confirmation { confirm in child.onExit { _ in confirm() } }
        #expect(!child.signalGroup(SIGTERM))
    }

    @Test("only the given environment reaches the child")
    func environmentIsExact() async throws {
        let pipe = try DescriptorPair.pipe()
        let child = try ChildProcess.spawn(
            executable: "env", environment: ["PATH": "/usr/bin:/bin", "B": "two words", "A": "ä=\n"],
            stdout: pipe.writeEnd)
        close(pipe.writeEnd)
        #expect(readAll(pipe.readEnd) == "A=ä=\n\nB=two words\nPATH=/usr/bin:/bin\n")
        #expect(await child.waitForExit().isSuccess)
    }

    @Test("no descriptor but 0, 1 and 2 is open in the child")
    func descriptorsAreClosed() async throws {
        // Without close-on-exec on purpose, as a careless library would leave it.
        let stray = open("/dev/null", O_RDONLY)
        defer { close(stray) }
        let high = fcntl(stray, F_DUPFD, 200)
        defer { close(high) }
        // `ls` itself opens the directory as descriptor 3.
        let (output, _) = try await run("exec ls /proc/self/fd")
        #expect(output.split(separator: "\n").sorted() == ["0", "1", "2", "3"])
    }

    @Test("the child leads its own group, with signals at their defaults and unblocked")
    func groupAndSignals() async throws {
        let (output, _) = try await run(
            "cut -d' ' -f5 /proc/$$/stat; echo $$; exec grep -E '^Sig(Blk|Ign)' /proc/self/status")
        let lines = output.split(separator: "\n")
        #expect(lines.count == 4)
        #expect(lines[0] == lines[1])
        #expect(lines[2].hasSuffix("0000000000000000"))
        #expect(lines[3].hasSuffix("0000000000000000"))
    }

    @Test("the limit of open files and the working directory are set")
    func limitsAndDirectory() async throws {
        let (output, _) = try await run(
            "ulimit -n; ulimit -Hn; pwd", workingDirectory: "/usr", limits: SpawnLimits(openFiles: 123))
        #expect(output == "123\n123\n/usr\n")
    }

    @Test("what the leader leaves behind in its group is killed when it ends")
    func leftoversAreKilled() async throws {
        let (output, status) = try await run("sleep 1000 >/dev/null 2>&1 & echo $!; exit 0")
        let pid = try #require(Int32(output.split(separator: "\n")[0]))
        #expect(status.isSuccess)
        #expect(await isGone(pid))
    }

    @Test("a signal reaches the whole group")
    func signalGroup() async throws {
        let pipe = try DescriptorPair.pipe()
        let child = try ChildProcess.spawn(
            executable: "sh", arguments: ["-c", "sleep 1000 & echo $!; wait"], environment: environment,
            stdout: pipe.writeEnd)
        close(pipe.writeEnd)
        let grandchild = try #require(Int32(line(pipe.readEnd)))
        #expect(child.signalGroup(SIGTERM))
        #expect(await child.waitForExit() == .signalled(SIGTERM, dumpedCore: false))
        #expect(readAll(pipe.readEnd).isEmpty)
        #expect(await isGone(grandchild))
    }

    @Test("standard descriptors may be given in any order and number")
    func crossedDescriptors() async throws {
        // What is 1 here becomes 2 there, and the other way round.
        let (output, status) = try await run("exec true")
        #expect(output.isEmpty && status.isSuccess)
        let child = try ChildProcess.spawn(
            executable: "true", environment: environment, stdin: 2, stdout: 2, stderr: 1)
        #expect(await child.waitForExit().isSuccess)
    }

    @Test("many children at once all end and are reaped")
    func manyChildren() async throws {
        let environment = environment
        let statuses = try await withThrowingTaskGroup(of: Spawn.ExitStatus.self) { group in
            for code in 0..<60 {
                group.addTask {
                    try await ChildProcess.spawn(
                        executable: "sh", arguments: ["-c", "exit \(code)"], environment: environment
                    ).waitForExit()
                }
            }
            return try await group.reduce(into: Set()) { $0.insert($1) }
        }
        #expect(statuses == Set((0..<60).map { .exited(code: $0) }))
    }

    @Test("the death of this process kills the child")
    func parentDeath() async throws {
        let result = await #expect(processExitsWith: .signal(SIGKILL), observing: [\.standardOutputContent]) {
            let child = try ChildProcess.spawn(
                executable: "sleep", arguments: ["1000"], environment: ["PATH": "/usr/bin:/bin"])
            let line = "pid \(child.pid) \n"
            _ = line.withCString { write(1, $0, strlen($0)) }
            kill(getpid(), SIGKILL)
        }
        let words = String(decoding: result?.standardOutputContent ?? [], as: UTF8.self).split(separator: " ")
        let index = try #require(words.firstIndex { $0.hasSuffix("pid") })
        let pid = try #require(Int32(words[index + 1]))
        #expect(await isGone(pid))
    }
}
