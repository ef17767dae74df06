// SPDX-License-Identifier: MIT

internal import Glibc
internal import RuntimeContract
internal import Synchronization

/// The log of one instance on disk: a file for the present incarnation, one for the one before, and of each the part
/// that was rotated away.
///
/// A line is stored as its time in milliseconds since 1970, a space, and the text. Written by one thread, read by any.
/// What can't be written, because the disk is full, is dropped: the server must not wait for its log.
final class InstanceLog: Sendable {
    /// The files of one incarnation, the older part first.
    enum Part: String {
        case current
        case previous
    }

    private struct State {
        var descriptor: Int32 = -1
        var size = 0
        /// Changes whenever ``Part/current`` begins anew, so that a reader who follows opens it again.
        var epoch = 0
        var isFinished = false
        var followers: [UInt64: AsyncStream<Void>.Continuation] = [:]
        var nextFollower: UInt64 = 0
    }

    private let directory: String
    private let maximumBytes: Int
    private let state = Mutex(State())

    /// The log in `directory`, which is made if it does not exist.
    init(directory: String, maximumBytes: Int) {
        self.directory = directory
        self.maximumBytes = maximumBytes
        mkdir(directory, 0o700)
    }

    deinit {
        state.withLock { state in
            if state.descriptor >= 0 { close(state.descriptor) }
        }
    }

    func path(_ part: Part, rotated: Bool = false) -> String {
        "\(directory)/\(part.rawValue)\(rotated ? ".1" : "").log"
    }

    /// The file that lines are added to now, and how often it has begun anew.
    var epoch: Int { state.withLock(\.epoch) }

    /// A new incarnation begins: what there is becomes the previous log.
    func begin() {
        state.withLock { state in
            if state.descriptor >= 0 { close(state.descriptor) }
            if access(path(.current), F_OK) == 0 {
                unlink(path(.previous, rotated: true))
                rename(path(.current, rotated: true), path(.previous, rotated: true))
                rename(path(.current), path(.previous))
            }
            open(&state)
        }
        notify()
    }

    /// Adds lines; each is `time text` without a line break.
    func append(_ lines: [LogLine]) {
        var bytes: [UInt8] = []
        for line in lines {
            bytes += Array("\(line.timestamp.millisecondsSinceEpoch) ".utf8)
            bytes += line.text
            bytes.append(UInt8(ascii: "\n"))
        }
        state.withLock { state in
            if state.descriptor >= 0, state.size > 0, state.size + bytes.count > maximumBytes { rotate(&state) }
            guard state.descriptor >= 0 else { return }
            let before = state.size
            let written = bytes.withUnsafeBytes { Self.write(state.descriptor, $0) }
            state.size += written
            // Half a line would swallow the next one.
            if written < bytes.count, ftruncate(state.descriptor, before) == 0 { state.size = before }
        }
        notify()
    }

    /// Nothing more will be written; those who follow come to an end.
    func finish() {
        let followers = state.withLock { state in
            state.isFinished = true
            defer { state.followers = [:] }
            return state.followers
        }
        for follower in followers.values { follower.finish() }
    }

    /// Finishes and deletes all files.
    func delete() {
        finish()
        state.withLock { state in
            if state.descriptor >= 0 { close(state.descriptor) }
            state.descriptor = -1
        }
        for part in [Part.current, .previous] {
            unlink(path(part))
            unlink(path(part, rotated: true))
        }
        rmdir(directory)
    }

    /// Yields after each change; several changes may be one. Ends when the log does.
    func changes() -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let follower: UInt64? = state.withLock { state in
            guard !state.isFinished else { return nil }
            state.nextFollower += 1
            state.followers[state.nextFollower] = continuation
            return state.nextFollower
        }
        guard let follower else {
            continuation.finish()
            return stream
        }
        continuation.onTermination = { [weak self] _ in
            self?.state.withLock { state in _ = state.followers.removeValue(forKey: follower) }
        }
        return stream
    }

    private func notify() {
        let followers = state.withLock(\.followers)
        for follower in followers.values { follower.yield() }
    }

    private func rotate(_ state: inout State) {
        close(state.descriptor)
        rename(path(.current), path(.current, rotated: true))
        open(&state)
    }

    private func open(_ state: inout State) {
        let flags = O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC
        state.descriptor = Glibc.open(path(.current), flags, 0o600)
        state.size = 0
        state.epoch += 1
    }

    private static func write(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Int {
        var written = 0
        while written < bytes.count {
            let count = Glibc.write(descriptor, bytes.baseAddress?.advanced(by: written), bytes.count - written)
            if count > 0 {
                written += count
            } else if errno != EINTR {
                return written
            }
        }
        return written
    }
}
