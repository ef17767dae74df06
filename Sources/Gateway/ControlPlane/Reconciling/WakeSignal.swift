// SPDX-License-Identifier: MIT

internal import Synchronization

/// Wakes one waiting task; a ring that finds nobody waiting is kept for the next one, any number of them as one.
final class WakeSignal: Sendable {
    private enum State {
        case idle
        case rung
        case waiting(CheckedContinuation<Void, Never>)
    }

    private let state = Mutex(State.idle)

    /// Wakes the waiting task, or the next one that waits.
    func ring() {
        let waiter: CheckedContinuation<Void, Never>? = state.withLock { state in
            guard case .waiting(let waiter) = state else {
                state = .rung
                return nil
            }
            state = .idle
            return waiter
        }
        waiter?.resume()
    }

    /// Returns at the next ring, after `limit`, or when the task is cancelled, whichever comes first.
    ///
    /// One caller at a time.
    func wait(atMost limit: Duration?, clock: any Clock<Duration>) async {
        guard let limit else { return await wait() }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.wait() }
            // Cancelled when the ring comes first.
            group.addTask { try? await clock.sleep(for: limit) }
            await group.next()
            group.cancelAll()
        }
    }

    private func wait() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isDue = state.withLock { state in
                    switch state {
                    case .rung:
                        state = .idle
                        return true
                    case .idle:
                        guard !Task.isCancelled else { return true }
                        state = .waiting(continuation)
                        return false
                    case .waiting:
                        preconditionFailure("a second task waits for the same signal")
                    }
                }
                if isDue { continuation.resume() }
            }
        } onCancel: {
            let waiter: CheckedContinuation<Void, Never>? = state.withLock { state in
                guard case .waiting(let waiter) = state else { return nil }
                state = .idle
                return waiter
            }
            waiter?.resume()
        }
    }
}
