// SPDX-License-Identifier: MIT

import Glibc
import RuntimeContract
import Supervision
import Synchronization

/// What one life of an instance wrote: one file that grows, and at most one that was set aside before it.
///
/// The two are one stream of bytes to its readers: positions count from the first byte ever written. Every line in it
/// is whole and begins with a ``LogStamp``. Written by one thread, read by any.
final class LogFile: Sendable {
    private struct Segment {
        var path: String
        var start: Int64
        var length: Int64 = 0
        var range: Range<Int64> { start..<(start + length) }
    }

    private struct State {
        var older: Segment?
        var current: Segment
        var descriptor: Int32 = -1
        /// Lines that could not be written since the last one that could.
        var dropped = 0
        var hasEnded: Bool
        var readers: [ObjectIdentifier: Wakeup] = [:]
    }

    private let maximumFile: Int64
    private let state: Mutex<State>

    /// The log of a life that begins now.
    init(path: String, maximumFile: Int) {
        self.maximumFile = Int64(maximumFile)
        state = Mutex(State(current: Segment(path: path, start: 0), hasEnded: false))
    }

    /// The log of a life that ended before this driver was started.
    init(ofEarlierLife path: String) {
        maximumFile = 0
        let older = Self.size("\(path).1").map { Segment(path: "\(path).1", start: 0, length: $0) }
        let current = Segment(path: path, start: older?.length ?? 0, length: Self.size(path) ?? 0)
        state = Mutex(State(older: older, current: current, hasEnded: true))
    }

    /// Whether nothing more will be written.
    var hasEnded: Bool { state.withLock(\.hasEnded) }

    // MARK: - Writing

    /// Writes lines that are stamped and ended by line breaks.
    ///
    /// What can't be written, on a full disk for example, is dropped and counted.
    func append(_ bytes: [UInt8], lines: Int) {
        let readers = state.withLock { state -> [Wakeup] in
            rotateIfNeeded(&state, adding: Int64(bytes.count))
            var bytes = bytes
            if state.dropped > 0 {
                let note = LogStamp.format(.now) + Array("[\(state.dropped) lines could not be written]\n".utf8)
                bytes = note + bytes
            }
            guard write(bytes, &state) else {
                state.dropped += lines
                return []
            }
            state.dropped = 0
            return Array(state.readers.values)
        }
        for reader in readers { reader.signal() }
    }

    /// Says that nothing more will be written.
    func end() {
        let readers = state.withLock { state in
            state.hasEnded = true
            if state.descriptor >= 0 { close(state.descriptor) }
            state.descriptor = -1
            return Array(state.readers.values)
        }
        for reader in readers { reader.signal() }
    }

    /// Deletes the files.
    func remove() {
        state.withLock { state in
            unlink(state.current.path)
            unlink("\(state.current.path).1")
        }
    }

    private func rotateIfNeeded(_ state: inout State, adding count: Int64) {
        guard state.current.length > 0, state.current.length + count > maximumFile else { return }
        let path = state.current.path
        guard rename(path, "\(path).1") == 0 else { return }
        if state.descriptor >= 0 { close(state.descriptor) }
        state.descriptor = -1
        var older = state.current
        older.path = "\(path).1"
        state.older = older
        state.current = Segment(path: path, start: older.range.upperBound)
    }

    private func write(_ bytes: [UInt8], _ state: inout State) -> Bool {
        if state.descriptor < 0 {
            // A file that is there belongs to nobody else: the directory is the driver's own.
            state.descriptor = open(state.current.path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
            guard state.descriptor >= 0 else { return false }
        }
        var offset = 0
        while offset < bytes.count {
            let count = bytes[offset...].withUnsafeBytes {
                pwrite(state.descriptor, $0.baseAddress, $0.count, off_t(state.current.length) + off_t(offset))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                // No torn line is left.
                ftruncate(state.descriptor, off_t(state.current.length))
                return false
            }
            offset += count
        }
        state.current.length += Int64(bytes.count)
        return true
    }

    // MARK: - Reading

    /// What is there to read, and whether more may follow.
    func extent(waking wakeup: Wakeup?) -> (range: Range<Int64>, hasEnded: Bool) {
        state.withLock { state in
            if let wakeup { state.readers[ObjectIdentifier(wakeup)] = wakeup }
            return ((state.older?.start ?? state.current.start)..<state.current.range.upperBound, state.hasEnded)
        }
    }

    /// Forgets a reader.
    func leave(_ wakeup: Wakeup) { state.withLock { _ = $0.readers.removeValue(forKey: ObjectIdentifier(wakeup)) } }

    /// At most `count` bytes from a position on, out of one file; none if they are not there (any more).
    ///
    /// Opens the file for this one call, so that a reader that is abandoned holds nothing.
    func read(at position: Int64, count: Int) -> [UInt8] {
        let (descriptor, offset, length) = state.withLock { state -> (Int32, Int64, Int) in
            let segment = state.older.flatMap { $0.range.contains(position) ? $0 : nil } ?? state.current
            guard segment.range.contains(position) else { return (-1, 0, 0) }
            // Under the lock: the name may mean another file afterwards.
            let descriptor = open(segment.path, O_RDONLY | O_CLOEXEC)
            return (descriptor, position - segment.start, Int(min(Int64(count), segment.range.upperBound - position)))
        }
        guard descriptor >= 0 else { return [] }
        defer { close(descriptor) }
        return [UInt8](unsafeUninitializedCapacity: length) { buffer, filled in
            while filled < length {
                let count = pread(
                    descriptor, buffer.baseAddress.map { $0 + filled }, length - filled, off_t(offset) + off_t(filled))
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { return }
                filled += count
            }
        }
    }

    private static func size(_ path: String) -> Int64? {
        var info = stat()
        return stat(path, &info) == 0 ? Int64(info.st_size) : nil
    }
}
