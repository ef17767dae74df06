// SPDX-License-Identifier: MIT

import Glibc

/// Finds programs by name, as a shell would.
package enum ExecutableSearch {
    /// The directories that are searched where there is no `PATH`.
    static let defaultPath = "/usr/local/bin:/usr/bin:/bin"

    /// The path of `name`: itself if it holds a slash, else the first executable regular file of that name in the
    /// directories of `path`.
    ///
    /// Relative and empty directories are skipped: the child's working directory must not decide what is run.
    package static func find(_ name: String, path: String?) throws(SpawnError) -> String {
        guard !name.isEmpty else { throw SpawnError(.lookUp, ENOENT, "no program is named") }
        if name.utf8.contains(UInt8(ascii: "/")) { return name }
        var denied: String?
        let path = path ?? defaultPath
        for directory in path.split(separator: ":") where directory.utf8.first == UInt8(ascii: "/") {
            let candidate = "\(directory)/\(name)"
            var info = stat()
            guard stat(candidate, &info) == 0, info.st_mode & S_IFMT == S_IFREG else { continue }
            if access(candidate, X_OK) == 0 { return candidate }
            denied = denied ?? candidate
        }
        if let denied { throw SpawnError(.lookUp, EACCES, "can't execute \(denied)") }
        throw SpawnError(.lookUp, ENOENT, "can't find '\(name)' in PATH (\(path))")
    }
}
