// SPDX-License-Identifier: MIT

internal import Synchronization

/// Wakes one task when a channel may be written to again.
///
/// A signal that comes before the wait is not lost.
final class WritableSignal: Sendable {
    private enum State {
        case quiet
        case signalled
        case waiting(CheckedContinuation<Void, Never>)
    }

    private let state = Mutex(State.quiet)

    /// Returns after the next ``signal()``, or at once if there was one since the last wait.
    ///
    /// One task at a time.
    func wait() async {
        await withCheckedContinuation { continuation in
            let isSignalled = state.withLock { state in
                if case .signalled = state {
                    state = .quiet
                    return true
                }
                state = .waiting(continuation)
                return false
            }
            if isSignalled { continuation.resume() }
        }
    }

    /// Ends the wait.
    func signal() {
        let waiting: CheckedContinuation<Void, Never>? = state.withLock { state in
            if case .waiting(let continuation) = state {
                state = .quiet
                return continuation
            }
            state = .signalled
            return nil
        }
        waiting?.resume()
    }
}
