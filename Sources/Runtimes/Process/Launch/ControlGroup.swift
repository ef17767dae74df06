// SPDX-License-Identifier: MIT

import Glibc

/// A control group of the second kind (cgroups(7)).
struct ControlGroup: Hashable, Sendable {
    /// Its directory.
    let path: String

    /// The group at a directory.
    init(path: String) {
        self.path = path
    }

    /// The group that a process is in; `nil` for none, or for the root, which has no life of its own.
    init?(of pid: Int32) {
        guard let mount = Self.mount, let relative = Self.relativePath(of: "/proc/\(pid)/cgroup"), relative != "/"
        else {
            return nil
        }
        path = mount + relative
    }

    /// The processes in it and in the groups below.
    var processes: [Int32] {
        let own = SmallFile.all("\(path)/cgroup.procs")?.split(separator: "\n").compactMap { Int32($0) } ?? []
        return DirectoryTree.folders(in: path).reduce(own) { $0 + ControlGroup(path: "\(path)/\($1)").processes }
    }

    /// The processor time of all that was ever in it.
    var cpuTime: Duration? {
        let line = SmallFile.all("\(path)/cpu.stat")?.split(separator: "\n").first { $0.hasPrefix("usage_usec ") }
        return line.flatMap { Int64($0.dropFirst(11)) }.map { .microseconds($0) }
    }

    /// Where the hierarchy is mounted.
    static let mount: String? = {
        let mounts = SmallFile.all("/proc/self/mounts")?.split(separator: "\n") ?? []
        let fields = mounts.map { $0.split(separator: " ") }.first { $0.count > 2 && $0[2] == "cgroup2" }
        return fields.map { String($0[1]) }
    }()

    /// The path of the group in a file such as `/proc/self/cgroup`.
    static func relativePath(of file: String) -> String? {
        let line = SmallFile.all(file)?.split(separator: "\n").first { $0.hasPrefix("0::") }
        return line.map { String($0.dropFirst(3)) }
    }
}
