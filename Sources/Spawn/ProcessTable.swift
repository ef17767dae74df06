// SPDX-License-Identifier: MIT

import CSpawn
import Glibc

/// The processes of this machine, as proc(5) tells of them.
public enum ProcessTable {
    /// One process at one moment.
    public struct Entry: Hashable, Sendable {
        /// Its id.
        public var pid: Int32
        /// The id of its parent.
        public var parent: Int32
        /// When it started, in clock ticks since the boot; with the id and the boot it names a process for all time.
        public var start: UInt64
        /// Whether it has ended and waits to be reaped.
        public var isZombie: Bool
    }

    /// All processes that can be seen.
    public static func entries() -> [Entry] {
        ids().compactMap(entry)
    }

    /// The ids of all processes that can be seen.
    static func ids() -> [Int32] { names(in: "/proc").compactMap { Int32($0) } }

    /// The process of that id, or `nil`.
    public static func entry(_ pid: Int32) -> Entry? {
        guard let fields = fields(of: pid), fields.count > 19, let parent = Int32(fields[1]),
            let start = UInt64(fields[19])
        else { return nil }
        return Entry(pid: pid, parent: parent, start: start, isZombie: fields[0] == "Z" || fields[0] == "X")
    }

    /// The fields of proc(5), `stat`, from the third one on.
    static func fields(of pid: Int32) -> [Substring]? {
        guard let bytes = contents("/proc/\(pid)/stat", limit: 4096) else { return nil }
        // The second field, the program's name, may hold blanks and brackets: fields are counted from the last bracket.
        let text = String(decoding: bytes, as: UTF8.self)
        guard let bracket = text.lastIndex(of: ")") else { return nil }
        return text[text.index(after: bracket)...].split(separator: " ")
    }

    /// The children of this process; none where the kernel keeps no list of them (proc(5), `children`).
    static func ownChildren() -> [Int32] {
        names(in: "/proc/self/task").flatMap { task in
            String(decoding: contents("/proc/self/task/\(task)/children", limit: 1 << 20) ?? [], as: UTF8.self)
                .split(separator: " ").compactMap { Int32($0) }
        }
    }

    /// A variable of the environment that a process was started with; `nil` if it is not there or none of our business.
    ///
    /// Process 0 stands for this one.
    public static func variable(_ name: String, of pid: Int32) -> String? {
        guard let bytes = contents("/proc/\(pid == 0 ? "self" : String(pid))/environ", limit: 1 << 20) else {
            return nil
        }
        let start = Array("\(name)=".utf8)
        guard let found = bytes.split(separator: 0).first(where: { $0.starts(with: start) }) else { return nil }
        return String(decoding: found.dropFirst(start.count), as: UTF8.self)
    }

    /// Where a process comes from, if it says so.
    public static func origin(of pid: Int32) -> Origin? { variable(Origin.variable, of: pid).map(Origin.init) }

    /// Kills exactly this process, never another one that has its id by now.
    ///
    /// - Returns: whether it was there to be killed.
    @discardableResult
    public static func kill(_ entry: Entry) -> Bool {
        let pidfd = cspawn_pidfd_open(entry.pid)
        guard pidfd >= 0 else { return false }
        defer { close(pidfd) }
        // Looked at after the descriptor was opened: from then on it can't mean another process any more.
        guard let now = self.entry(entry.pid), now.start == entry.start, !now.isZombie else { return false }
        return cspawn_pidfd_signal(pidfd, SIGKILL) == 0
    }

    /// The id of this boot, or a fixed word where the kernel tells none.
    public static let bootID: String = {
        guard let bytes = contents("/proc/sys/kernel/random/boot_id", limit: 64) else { return "boot" }
        return String(decoding: bytes.prefix { $0 > 0x20 }, as: UTF8.self)
    }()

    private static func names(in path: String) -> [String] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            names.append(
                withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                    String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
                })
        }
        return names
    }

    private static func contents(_ path: String, limit: Int) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while bytes.count < limit {
            let count = read(descriptor, &chunk, chunk.count)
            guard count > 0 else { break }
            bytes += chunk[..<count]
        }
        return bytes.isEmpty ? nil : bytes
    }
}
