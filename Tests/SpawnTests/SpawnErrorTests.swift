// SPDX-License-Identifier: MIT

import Glibc
import Spawn
import Testing

@Suite("Failed starts")
struct SpawnErrorTests {
    private func failure(
        _ executable: String, arguments: [String] = [], path: String = "/usr/bin:/bin", workingDirectory: String? = nil,
        limits: SpawnLimits = SpawnLimits()
    ) -> SpawnError? {
        #expect(throws: SpawnError.self) {
            try ChildProcess.spawn(
                executable: executable, arguments: arguments, environment: ["PATH": path],
                workingDirectory: workingDirectory, limits: limits)
        }
    }

    @Test("a name that is not in PATH is reported with the PATH that was searched")
    func notInPath() {
        let error = failure("no-such-program", path: "/usr/bin")
        #expect(error?.step == .lookUp)
        #expect(error?.message == "can't find 'no-such-program' in PATH (/usr/bin): No such file or directory")
    }

    @Test("a path that does not exist is named")
    func missingFile() {
        let error = failure("/no/such/program")
        #expect(error?.step == .execute)
        #expect(error?.message == "can't execute /no/such/program: No such file or directory")
    }

    @Test("a file that may not be executed is named")
    func notExecutable() {
        let error = failure("/etc/passwd")
        #expect(error?.step == .execute)
        #expect(error?.errorNumber == EACCES)
    }

    @Test("a script whose interpreter is missing is not called a missing file")
    func missingInterpreter() throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let script = try directory.write("script", "#!/no/such/interpreter\n", mode: 0o755)
        let error = failure(script)
        #expect(error?.message.contains("interpreter") == true)
    }

    @Test("a working directory that does not exist is named")
    func missingDirectory() {
        let error = failure("true", workingDirectory: "/no/such/directory")
        #expect(error?.step == .workingDirectory)
        #expect(error?.message == "can't enter the working directory /no/such/directory: No such file or directory")
    }

    @Test("a NUL byte in an argument is refused, and its text not shown")
    func nulByte() {
        let error = failure("true", arguments: ["se\u{0}cret"])
        #expect(error?.step == .arguments)
        #expect(error?.message.contains("cret") == false)
    }

    @Test("relative directories of PATH are not searched")
    func relativePath() {
        #expect(failure("true", path: ".:bin:")?.step == .lookUp)
    }
}
