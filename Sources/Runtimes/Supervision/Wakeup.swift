// SPDX-License-Identifier: MIT

import Synchronization

/// Wakes one waiting task; a signal that nobody waits for is kept for the next wait, once.
public final class Wakeup: Sendable {
    private struct State {
        var isSet = false
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    /// Begins without a signal.
    public init() {}

    /// Ends the present wait, or the next one.
    public func signal() {
        let waiter = state.withLock { state in
            let waiter = state.waiter.take()
            if waiter == nil { state.isSet = true }
            return waiter
        }
        waiter?.resume()
    }

    /// Waits for a signal, for `delay` at the longest, or until the task is cancelled.
    ///
    /// One task at a time.
    public func wait(atMost delay: Duration? = nil) async {
        guard let delay else { return await signalled() }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.signalled() }
            group.addTask { try? await Task.sleep(for: delay) }
            await group.next()
            group.cancelAll()
        }
    }

    private func signalled() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    // Cancellation before this line is seen here, after it by the handler below.
                    guard !state.isSet, !Task.isCancelled else {
                        state.isSet = false
                        return true
                    }
                    state.waiter = continuation
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.waiter.take() }?.resume()
        }
    }
}
