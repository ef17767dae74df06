// SPDX-License-Identifier: MIT

internal import Glibc

/// The place of a database in the file system.
enum DatabaseFile {
    /// Makes the file at `path` and the folders above it, readable by their owner only: the database holds secrets.
    ///
    /// SQLite gives the files beside it (`-wal`, `-shm`) the mode of the database.
    ///
    /// - Throws: `io`; `diskFull`.
    static func prepare(_ path: String) throws(StoreError) {
        if let slash = path.lastIndex(of: "/") { try makeFolder(String(path[..<slash])) }
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure("can't open the database \(path)") }
        // Closed before SQLite opens the file: closing a descriptor drops the process's POSIX locks on the file.
        defer { close(descriptor) }
        guard fchmod(descriptor, 0o600) == 0 else { throw failure("can't protect the database \(path)") }
    }

    private static func makeFolder(_ path: String) throws(StoreError) {
        guard !path.isEmpty else { return }
        if mkdir(path, 0o700) == 0 || errno == EEXIST { return }
        guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash > path.startIndex else {
            throw failure("can't make the folder \(path)")
        }
        try makeFolder(String(path[..<slash]))
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw failure("can't make the folder \(path)") }
    }

    private static func failure(_ what: String) -> StoreError {
        let reason = errno
        return StoreError(
            reason == ENOSPC || reason == EDQUOT ? .diskFull : .io, "\(what): \(String(cString: strerror(reason)))")
    }
}
