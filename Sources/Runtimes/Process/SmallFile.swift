// SPDX-License-Identifier: MIT

import Glibc

/// Files that are read at once.
enum SmallFile {
    /// The first page of the file, or `nil`.
    static func read(_ path: String) -> String? { read(path, limit: 4096) }

    /// The first mebibyte of the file, or `nil`.
    static func all(_ path: String) -> String? { read(path, limit: 1 << 20) }

    private static func read(_ path: String, limit: Int) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while bytes.count < limit {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            guard count > 0 else { break }
            bytes += chunk[..<count]
        }
        return bytes.isEmpty ? nil : String(decoding: bytes, as: UTF8.self)
    }
}
