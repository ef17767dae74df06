// SPDX-License-Identifier: MIT

internal import Glibc
internal import MCPProtocol
internal import SystemPackage

/// The file with the keys that session ids are sealed with, one a line, the newest first.
///
/// Made with one fresh key where there is none. Gateways that share the file route each other's sessions; a gateway
/// that is started again with it goes on with the sessions it had.
struct SessionKeyFile {
    let path: String

    /// The keys in the file, which is made first if it does not exist.
    ///
    /// Two gateways that start at the same time end up with the same file: it is written whole beside its place and
    /// then linked there, which only one of them can do.
    func load() throws(StartupError) -> SessionKeyRing {
        do {
            try makeIfAbsent()
        } catch {
            throw StartupError(.cannotCreate, "session.keyFile \(path): can't be made: \(error)")
        }
        try checkPermissions()
        do {
            return try SessionKeyRing(parsing: String(decoding: TextFile.read(path), as: UTF8.self))
        } catch let error as StartupError {
            throw error
        } catch {
            throw StartupError(.configuration, "session.keyFile \(path): \(error)")
        }
    }

    private func makeIfAbsent() throws {
        if access(path, F_OK) == 0 { return }
        let draft = "\(path).\(getpid())"
        defer { unlink(draft) }
        let file = try FileDescriptor.open(
            FilePath(draft), .writeOnly, options: [.create, .exclusiveCreate, .closeOnExec],
            permissions: [.ownerReadWrite])
        try file.closeAfter {
            try file.writeAll(SessionKeyRing.generate().secretText.utf8)
            guard fsync(file.rawValue) == 0 else { throw Errno(rawValue: errno) }
        }
        if link(draft, path) != 0, errno != EEXIST { throw Errno(rawValue: errno) }
    }

    private func checkPermissions() throws(StartupError) {
        var status = stat()
        guard stat(path, &status) == 0 else {
            throw StartupError(.configuration, "session.keyFile \(path): \(Errno(rawValue: errno))")
        }
        // Kubernetes shows a Secret as files of root that our group may read; nobody else is in that group.
        let isMounted = status.st_uid == 0 && geteuid() != 0
        guard status.st_mode & (isMounted ? 0o037 : 0o077) == 0 else {
            throw StartupError(
                .configuration,
                "session.keyFile \(path): others may read or write it; whoever reads it can forge sessions: chmod 600 \(path)"
            )
        }
    }
}
