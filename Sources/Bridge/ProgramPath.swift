// SPDX-License-Identifier: MIT

import Glibc

/// Finds the bridge's program once, at the start: a bridge whose command can't run should say so and end, instead of
/// answering 502 to everybody.
enum ProgramPath {
    /// The path of `command`: itself when there is a `/` in it, else the first in `search`, the value of `PATH`, that
    /// can be executed.
    static func resolve(_ command: String, search: String?) throws(BridgeError) -> String {
        if command.contains("/") {
            guard isExecutable(command) else {
                throw BridgeError(.commandNotFound, "\(command) is no program that can be executed; check the path")
            }
            return command
        }
        for folder in (search ?? "/usr/local/bin:/usr/bin:/bin").split(separator: ":") where folder.hasPrefix("/") {
            let candidate = "\(folder)/\(command)"
            if isExecutable(candidate) { return candidate }
        }
        throw BridgeError(.commandNotFound, "there is no program \(command) in PATH; install it or give its whole path")
    }

    /// The variables of this process, which its children get too.
    static func environment() -> [String: String] {
        var variables: [String: String] = [:]
        var entry = environ
        while let text = entry.pointee {
            let parts = String(cString: text).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2 { variables[String(parts[0])] = String(parts[1]) }
            entry += 1
        }
        return variables
    }

    private static func isExecutable(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG && access(path, X_OK) == 0
    }
}
