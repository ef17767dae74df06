// SPDX-License-Identifier: MIT

internal import NIOCore
internal import Synchronization

/// How many connections there are, over all loops, and which listeners wait for one to close.
final class ConnectionCount: Sendable {
    private struct State {
        var open = 0
        var paused: [any Channel] = []

        mutating func pause(_ listener: any Channel) {
            if !paused.contains(where: { $0 === listener }) { paused.append(listener) }
        }
    }

    private let maximum: Int
    private let state = Mutex(State())

    /// A count of none, of at most `maximum`.
    init(maximum: Int) {
        self.maximum = maximum
    }

    /// Counts a connection that `listener` accepted; `false` when it must not accept another one until one closes.
    func opened(listener: any Channel) -> Bool {
        state.withLock { state in
            state.open += 1
            guard state.open >= maximum else { return true }
            state.pause(listener)
            return false
        }
    }

    /// Counts a connection less, and lets listeners accept again.
    func closed() {
        let listeners = state.withLock { state in
            state.open -= 1
            guard !state.paused.isEmpty, state.open < maximum else { return [any Channel]() }
            let listeners = state.paused
            state.paused = []
            return listeners
        }
        for listener in listeners { AcceptLimiter.setAccepting(listener, true) }
    }

    /// Lets `listener` accept again, unless there are enough connections: then it waits for one to close.
    func resume(_ listener: any Channel) {
        let mayAccept = state.withLock { state in
            if state.open >= maximum { state.pause(listener) }
            return state.open < maximum
        }
        if mayAccept { AcceptLimiter.setAccepting(listener, true) }
    }
}
