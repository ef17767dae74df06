// SPDX-License-Identifier: MIT

import CSpawn
import Glibc
import Spawn
import Synchronization

/// Reads the journal on a thread of its own, batch by batch as it is asked to; the thread ends with the reader.
public final class JournalReader: Sendable {
    /// What one reader and its thread share.
    private final class Desk: Sendable {
        struct State {
            var isAsking = false
            var isClosed = false
            var hasEnded = false
            var waiter: CheckedContinuation<Result<[JournalLine]?, SystemdError>, Never>?
        }

        let state = Mutex(State())
        let bell = eventfd(0, Int32(EFD_CLOEXEC))

        deinit { close(bell) }

        func ring() {
            var one: UInt64 = 1
            _ = write(bell, &one, 8)
        }

        func answer(_ result: Result<[JournalLine]?, SystemdError>) {
            let waiter = state.withLock { state in
                state.isAsking = false
                return state.waiter.take()
            }
            waiter?.resume(returning: result)
        }
    }

    /// How many readers there may be at once: each is a thread, and holds the journal's files open.
    private static let maximumReaders = 64
    private static let readers = Mutex(0)
    private static let batch = 256
    /// How long the journal may take to store what was written before an end.
    private static let settleMilliseconds: UInt64 = 200

    private let desk = Desk()

    /// Begins to read; with `follow`, until ``end()`` was called and what was written before is read.
    ///
    /// - Throws: `refused` when there are too many readers.
    public init(_ query: JournalQuery, follow: Bool) throws(SystemdError) {
        let isTooMany = Self.readers.withLock { readers in
            guard readers < Self.maximumReaders else { return true }
            readers += 1
            return false
        }
        if isTooMany { throw SystemdError(.refused, "too many logs are being read") }
        let desk = desk
        LongLivedThread.start(named: "journal") {
            Self.serve(desk, query, follow: follow)
            Self.readers.withLock { $0 -= 1 }
        }
    }

    deinit {
        desk.state.withLock { $0.isClosed = true }
        desk.ring()
    }

    /// Says that nothing more will be written.
    public func end() { desk.state.withLock { $0.hasEnded = true } }

    /// The next lines, never none; `nil` at the end, or when the task is cancelled.
    ///
    /// One caller at a time.
    public func next() async throws(SystemdError) -> [JournalLine]? {
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = desk.state.withLock { state in
                    guard !state.isClosed, !Task.isCancelled else { return true }
                    state.waiter = continuation
                    state.isAsking = true
                    return false
                }
                if isOver { continuation.resume(returning: .success(nil)) } else { desk.ring() }
            }
        } onCancel: {
            desk.state.withLock { $0.isClosed = true }
            desk.answer(.success(nil))
            desk.ring()
        }
        return try result.get()
    }

    private static func serve(_ desk: Desk, _ query: JournalQuery, follow: Bool) {
        do throws(SystemdError) {
            let journal = try Journal()
            try journal.select(query)
            var isFirst = true
            while true {
                // Nothing is read ahead of the one who asks.
                while desk.state.withLock({ !$0.isAsking && !$0.isClosed }) {
                    var value: UInt64 = 0
                    _ = read(desk.bell, &value, 8)
                }
                if desk.state.withLock(\.isClosed) { return desk.answer(.success(nil)) }
                let hasEnded = desk.state.withLock(\.hasEnded)
                var lines = try journal.next(maximum: batch)
                if lines.isEmpty, follow {
                    journal.wait(milliseconds: settleMilliseconds)
                    lines = try journal.next(maximum: batch)
                    if lines.isEmpty, !hasEnded { continue }
                }
                if lines.isEmpty, !follow, isFirst {
                    // The first wait only makes ready to wait (sd_journal_wait(3)).
                    for _ in 0..<2 where lines.isEmpty {
                        journal.wait(milliseconds: settleMilliseconds)
                        lines = try journal.next(maximum: batch)
                    }
                }
                isFirst = false
                if lines.isEmpty {
                    desk.state.withLock { $0.isClosed = true }
                    return desk.answer(.success(nil))
                }
                desk.answer(.success(lines))
            }
        } catch {
            desk.state.withLock { $0.isClosed = true }
            desk.answer(.failure(error))
        }
    }

    /// The runs of a unit that the journal has lines of, the newest first.
    ///
    /// On a thread of its own; may take a moment.
    public static func invocations(of unit: String, _ scope: ManagerScope, maximum: Int) async -> [String] {
        await withCheckedContinuation { continuation in
            LongLivedThread.start(named: "journal") {
                let found = try? Journal().invocations(of: unit, scope, maximum: maximum)
                continuation.resume(returning: found ?? [])
            }
        }
    }
}
