// SPDX-License-Identifier: MIT

internal import Glibc
internal import RuntimeContract

/// What tells one life of a local process from all others: boot, pid and start time, because pids come again.
enum ProcessIncarnation {
    /// The incarnation of the process `pid`, which must not have been reaped.
    static func of(_ pid: Int32) -> Incarnation {
        Incarnation("\(bootID)-\(pid)-\(startTime(of: pid))")
    }

    private static let bootID: String = {
        let text = read("/proc/sys/kernel/random/boot_id").prefix(8)
        return text.isEmpty ? "boot" : String(text)
    }()

    /// Clock ticks since boot (proc(5), field 22 of stat).
    private static func startTime(of pid: Int32) -> String {
        let text = read("/proc/\(pid)/stat")
        // The name, in brackets, may hold spaces and brackets.
        guard let end = text.lastIndex(of: ")") else { return "0" }
        let fields = text[text.index(after: end)...].split(separator: " ")
        return fields.count > 19 ? String(fields[19]) : "0"
    }

    private static func read(_ path: String) -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = Glibc.read(descriptor, &buffer, buffer.count)
        return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : ""
    }
}
