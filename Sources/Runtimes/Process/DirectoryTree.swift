// SPDX-License-Identifier: MIT

import Glibc

/// Directories of the driver's own.
enum DirectoryTree {
    /// Makes a directory and those above it, for this user only; `false` if that fails.
    static func make(_ path: String) -> Bool {
        if mkdir(path, 0o700) == 0 { return true }
        switch errno {
        case EEXIST:
            var info = stat()
            return stat(path, &info) == 0 && info.st_mode & S_IFMT == S_IFDIR
        case ENOENT:
            guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return false }
            return make(String(path[..<slash])) && (mkdir(path, 0o700) == 0 || errno == EEXIST)
        default:
            return false
        }
    }

    /// Deletes a directory with all that is in it; symbolic links are deleted, not followed.
    static func remove(_ path: String) {
        for name in names(in: path) {
            let entry = "\(path)/\(name)"
            if unlink(entry) != 0, errno == EISDIR || errno == EPERM { remove(entry) }
        }
        rmdir(path)
    }

    /// The names in a directory, in no order; none if it can't be read.
    static func names(in path: String) -> [String] { entries(in: path).map(\.name) }

    /// The names of the directories in a directory, where the file system tells them apart at once.
    static func folders(in path: String) -> [String] { entries(in: path).filter(\.isFolder).map(\.name) }

    private static func entries(in path: String) -> [(name: String, isFolder: Bool)] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var names: [(name: String, isFolder: Bool)] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." {
                names.append((name, entry.pointee.d_type == UInt8(DT_DIR)))
            }
        }
        return names
    }
}
