// SPDX-License-Identifier: MIT

import Glibc
import RuntimeContract

/// Names one process for all time: the boot it belongs to, its id, and when it started.
enum ProcessIdentity {
    /// The incarnation that a process stands for.
    ///
    /// `nil` if it is gone already.
    static func incarnation(ofProcess pid: Int32) -> Incarnation? {
        guard let stat = SmallFile.read("/proc/\(pid)/stat"), let start = startTime(stat) else { return nil }
        return Incarnation("\(bootID).\(pid).\(start)")
    }

    /// The 22nd field of proc(5)'s stat, in clock ticks since the boot.
    ///
    /// The second field, the program's name, may hold blanks and brackets: fields are counted from the last bracket.
    static func startTime(_ stat: String) -> UInt64? {
        guard let bracket = stat.lastIndex(of: ")") else { return nil }
        let fields = stat[stat.index(after: bracket)...].split(separator: " ")
        return fields.count > 19 ? UInt64(fields[19]) : nil
    }

    /// The id of this boot, or a fixed word where the kernel tells none.
    static let bootID: String = {
        let text = SmallFile.read("/proc/sys/kernel/random/boot_id")?.split(whereSeparator: \.isWhitespace).first
        return text.map(String.init) ?? "boot"
    }()
}

/// Files of the kernel that fit into one page.
enum SmallFile {
    /// The first page of the file, or `nil`.
    static func read(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = Glibc.read(descriptor, &bytes, bytes.count)
        return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
    }
}
