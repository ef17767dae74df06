// SPDX-License-Identifier: MIT

import Glibc
import Spawn
import Synchronization

/// What this driver has started, written down so that the next one can clean up after a kill: boot, process id and
/// start time of each instance, and the origin that all of them carry.
///
/// The origin finds descendants wherever they moved; the ids find an instance that overwrote its environment. Written by
/// plain appends, which survive the kill of this process; after a crash of the machine the boot is another one, and
/// nothing is left to clean up.
final class SpawnLedger: Sendable {
    /// The origin of everything that is started for this state directory, by whichever driver.
    let owner: Origin

    private let path: String
    private let state: Mutex<(descriptor: Int32, lines: Int, living: [Int32: UInt64])>

    /// Opens the ledger of a state directory.
    ///
    /// The owner's name is random, and holds the directory's inode: a copy of a state directory is somebody else.
    init(stateDirectory: String) {
        path = "\(stateDirectory)/spawn-ledger"
        _ = DirectoryTree.make(stateDirectory)
        var info = stat()
        stat(stateDirectory, &info)
        let name = Self.readOrWriteName("\(stateDirectory)/owner")
        owner = Origin("\(name)-\(String(info.st_dev, radix: 36))-\(String(info.st_ino, radix: 36))")
        state = Mutex((-1, 0, [:]))
    }

    /// Kills what an earlier driver has left behind, and begins a new ledger; before anything is started.
    ///
    /// - Returns: how many processes were killed.
    func sweep() -> Int {
        let roots = Self.lines(path).compactMap(Self.entry)
        let count = Strays.sweep(owner, roots: roots)
        state.withLock { state in
            state.living = [:]
            rewrite(&state)
        }
        return count
    }

    /// Writes down a process that was just started.
    func began(_ child: ChildProcess) {
        state.withLock { state in
            state.living[child.pid] = child.start
            // Every start is a line; those that ended are dropped now and then.
            if state.descriptor < 0 || state.lines >= 2 * state.living.count + 256 { return rewrite(&state) }
            append(Self.line(child.pid, child.start), &state)
        }
    }

    /// Forgets a process of which nothing is left.
    func ended(_ child: ChildProcess) { state.withLock { _ = $0.living.removeValue(forKey: child.pid) } }

    private func rewrite(_ state: inout (descriptor: Int32, lines: Int, living: [Int32: UInt64])) {
        if state.descriptor >= 0 { close(state.descriptor) }
        let new = "\(path).new"
        state.descriptor = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0o600)
        state.lines = 0
        append(state.living.map { Self.line($0.key, $0.value) }.joined(), &state)
        state.lines = state.living.count
        rename(new, path)
    }

    private func append(_ text: String, _ state: inout (descriptor: Int32, lines: Int, living: [Int32: UInt64])) {
        guard state.descriptor >= 0, !text.isEmpty else { return }
        let bytes = Array(text.utf8)
        // A full disk costs the line, not the instance: the origin in its environment finds it as well.
        _ = write(state.descriptor, bytes, bytes.count)
        state.lines += 1
    }

    private static func line(_ pid: Int32, _ start: UInt64) -> String { "\(ProcessTable.bootID) \(pid) \(start)\n" }

    private static func entry(_ line: Substring) -> ProcessTable.Entry? {
        let parts = line.split(separator: " ")
        guard parts.count == 3, parts[0] == ProcessTable.bootID, let pid = Int32(parts[1]),
            let start = UInt64(parts[2]),
            let entry = ProcessTable.entry(pid), entry.start == start
        else { return nil }
        return entry
    }

    private static func lines(_ path: String) -> [Substring] {
        SmallFile.all(path)?.split(separator: "\n") ?? []
    }

    private static func readOrWriteName(_ path: String) -> String {
        if let name = SmallFile.read(path), name.utf8.count == 25, name.utf8.allSatisfy({ $0 < 0x80 }) {
            return String(name.dropLast())
        }
        let alphabet = Array("0123456789abcdefghijklmnopqrstuvwxyz")
        let name = String((0..<24).map { _ in alphabet.randomElement() ?? "0" })
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return name }
        defer { close(descriptor) }
        let bytes = Array("\(name)\n".utf8)
        _ = write(descriptor, bytes, bytes.count)
        return name
    }
}
