// SPDX-License-Identifier: MIT

import Glibc
import RuntimeContract

/// What really runs on this machine.
enum Processes {
    /// The ids of live processes that have this variable in the environment they were started with.
    static func withVariable(_ name: String, _ value: String) -> [Int32] {
        guard let directory = opendir("/proc") else { return [] }
        defer { closedir(directory) }
        let wanted = Array("\(name)=\(value)".utf8)
        var found: [Int32] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard let pid = Int32(name), let bytes = contents("/proc/\(pid)/environ") else { continue }
            if bytes.split(separator: 0).contains(where: { Array($0) == wanted }) { found.append(pid) }
        }
        return found
    }

    /// Whether the process is there and no zombie.
    static func isAlive(_ pid: Int32) -> Bool {
        guard let bytes = contents("/proc/\(pid)/stat") else { return false }
        let text = String(decoding: bytes, as: UTF8.self)
        guard let bracket = text.lastIndex(of: ")"), let state = text[bracket...].dropFirst(2).first else {
            return false
        }
        return state != "Z" && state != "X"
    }

    /// The process that an incarnation names.
    static func pid(of incarnation: Incarnation) -> Int32? {
        let parts = incarnation.rawValue.split(separator: ".")
        return parts.count == 3 ? Int32(parts[1]) : nil
    }

    /// All of a file, or `nil`.
    static func contents(_ path: String) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(descriptor, &chunk, chunk.count)
            guard count > 0 else { return bytes }
            bytes += chunk[..<count]
        }
    }
}
