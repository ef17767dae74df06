// SPDX-License-Identifier: MIT

internal import Glibc
internal import ProcessRuntime

extension GatewayConfiguration {
    /// The variable that names the configuration file where no flag does.
    static let fileVariable = "MCP_GATEWAY_CONFIG"

    /// The configuration of this process: `flags`, its environment, and the file that `path` or `MCP_GATEWAY_CONFIG` names.
    ///
    /// - Throws: every fault at once.
    public static func load(flags: [String: String], file path: String?) throws(StartupError) -> GatewayConfiguration {
        var environment = processEnvironment()
        let path = path ?? environment[fileVariable]
        environment[fileVariable] = nil
        // What servers are given: a gateway that one of them starts is not meant.
        for name in ProcessRuntimeConfiguration.ownVariables { environment[name] = nil }
        let text = try path.map { path throws(StartupError) in try TextFile.read(path) }
        do {
            return try GatewayConfiguration(
                flags: flags, environment: environment, file: text, workingDirectory: workingDirectory(),
                processors: max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))))
        } catch {
            throw StartupError(.configuration, error.description)
        }
    }

    static func processEnvironment() -> [String: String] {
        var variables: [String: String] = [:]
        var next = environ
        while let entry = next.pointee {
            let text = String(cString: entry)
            if let separator = text.firstIndex(of: "=") {
                variables[String(text[..<separator])] = String(text[text.index(after: separator)...])
            }
            next += 1
        }
        return variables
    }

    private static func workingDirectory() -> String {
        guard let path = getcwd(nil, 0) else { return "/" }
        defer { free(path) }
        return String(cString: path)
    }
}
