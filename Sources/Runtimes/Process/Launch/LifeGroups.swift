// SPDX-License-Identifier: MIT

import Glibc
import Spawn
import Synchronization

/// A control group for each life that is a child process, where this process may make any: what is in it can be killed
/// whatever it did to its environment and its parents.
///
/// The groups are below the one that this process is in, named after the owner of the state directory. A file in there
/// says where, since the next driver may be somewhere else.
final class LifeGroups: Sendable {
    private struct State {
        /// Where groups are made; `nil` where none can be.
        var parent: String?
        var count: UInt64 = 0
    }

    private let prefix: String
    private let record: String
    private let state: Mutex<State>

    /// How long the killed may take to go.
    private static let patience = 400
    private static let pause: UInt32 = 5000

    /// - Parameter parent: The directory of the group that groups are made in; by default that of this process.
    init(stateDirectory: String, owner: String, parent: String? = LifeGroups.own) {
        prefix = "\(UnitName(owner: owner).prefix)-"
        record = "\(stateDirectory)/control-groups"
        state = Mutex(State(parent: parent))
    }

    /// The group that this process is in.
    static let own: String? = {
        guard let mount = ControlGroup.mount, let path = ControlGroup.relativePath(of: "/proc/self/cgroup") else {
            return nil
        }
        return path == "/" ? mount : mount + path
    }()

    /// Kills what is in groups of an earlier driver and deletes them; before anything is started.
    ///
    /// - Returns: how many processes were killed.
    func sweep() -> Int {
        let recorded = SmallFile.read(record)?.split(separator: "\n").map(String.init) ?? []
        var killed = 0
        for parent in Set(recorded + [state.withLock(\.parent)].compactMap(\.self)) {
            for name in DirectoryTree.folders(in: parent) where name.hasPrefix(prefix) {
                let group = ControlGroup(path: "\(parent)/\(name)")
                killed += group.processes.count
                Self.end(group)
            }
        }
        unlink(record)
        return killed
    }

    /// A new group for a life; `nil` where none can be made.
    func make() -> ControlGroup? {
        state.withLock { state in
            guard let parent = state.parent else { return nil }
            state.count += 1
            let path = "\(parent)/\(prefix)\(getpid())-\(state.count)"
            guard mkdir(path, 0o755) == 0 || errno == EEXIST else {
                // Not ours to change; that does not change either.
                state.parent = nil
                return nil
            }
            if state.count == 1 { write(parent) }
            return ControlGroup(path: path)
        }
    }

    /// Puts a child into its group; without effect if it has ended.
    ///
    /// Blocks for about ten milliseconds, which the kernel takes. What the child started before stays outside and is
    /// found by its origin.
    func join(_ child: ChildProcess, _ group: ControlGroup) { child.join(controlGroup: "\(group.path)/cgroup.procs") }

    /// Kills what is left in a group and deletes it; returns when it is gone, or after two seconds.
    static func end(_ group: ControlGroup) {
        for _ in 0..<patience {
            if rmdir(group.path) == 0 || errno == ENOENT { return }
            // Also here again: a kernel before 5.14 has no cgroup.kill, and what forks meanwhile is another process.
            if !write("1", to: "\(group.path)/cgroup.kill") {
                for pid in group.processes { ProcessTable.entry(pid).map { _ = ProcessTable.kill($0) } }
            }
            for name in DirectoryTree.folders(in: group.path) { rmdir("\(group.path)/\(name)") }
            usleep(pause)
        }
    }

    private func write(_ parent: String) {
        let descriptor = open(record, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        let bytes = Array("\(parent)\n".utf8)
        _ = Glibc.write(descriptor, bytes, bytes.count)
    }

    private static func write(_ text: String, to path: String) -> Bool {
        let descriptor = open(path, O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        return Glibc.write(descriptor, bytes, bytes.count) == bytes.count
    }
}
