// SPDX-License-Identifier: MIT

internal import Glibc
internal import Store
internal import SystemPackage

/// The directory where everything that lasts is kept; for the gateway's user only.
struct DataDirectory {
    let path: String

    /// Makes the directory, with those above it, if it does not exist.
    init(_ path: String) throws(StartupError) {
        self.path = path
        for directory in [path, "\(path)/runtime"] { try Self.make(directory) }
    }

    /// Where a driver keeps logs and sockets.
    var runtime: String { "\(path)/runtime" }

    /// Opens the database, and refuses what this gateway must not touch, in words that say what to do.
    func openStore() throws(StartupError) -> AdapterStore {
        do {
            return try AdapterStore(path: "\(path)/gateway.sqlite")
        } catch {
            let kind: StartupError.Kind =
                switch error.code {
                case .locked, .busy: .busy
                case .diskFull, .io: .cannotCreate
                default: .unavailable
                }
            throw StartupError(kind, "dataDirectory \(path): \(error.message)")
        }
    }

    private static func make(_ path: String) throws(StartupError) {
        var parents: [String] = []
        var parent = path
        while access(parent, F_OK) != 0, let slash = parent.lastIndex(of: "/"), slash > parent.startIndex {
            parents.append(parent)
            parent = String(parent[..<slash])
        }
        for directory in parents.reversed() where mkdir(directory, 0o700) != 0 && errno != EEXIST {
            throw StartupError(
                .cannotCreate, "dataDirectory: \(directory) can't be made: \(Errno(rawValue: errno))")
        }
        guard access(path, W_OK | X_OK) == 0 else {
            throw StartupError(.cannotCreate, "dataDirectory: \(path) can't be written: \(Errno(rawValue: errno))")
        }
    }
}
