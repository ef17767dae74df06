// SPDX-License-Identifier: MIT

import Supervision
import Synchronization

/// The time that one simulated life has left.
final class LifeTime: Sendable {
    private struct State {
        var end: LifeEnd?
        /// What ends it at which moment, if nothing else does so before.
        var planned: (end: LifeEnd, at: ContinuousClock.Instant)?
    }

    private let state = Mutex(State())
    private let wakeup = Wakeup()

    /// Ends the life now.
    func end(_ end: LifeEnd) {
        state.withLock { $0.end = $0.end ?? end }
        wakeup.signal()
    }

    /// Ends the life after a while, unless it is to end before anyway.
    func end(_ end: LifeEnd, after delay: Duration) {
        let moment = ContinuousClock.now + delay
        state.withLock { state in
            if let planned = state.planned, planned.at <= moment { return }
            state.planned = (end, moment)
        }
        wakeup.signal()
    }

    /// Waits for the end; a cancelled wait ends the life at once.
    func waitForEnd() async -> LifeEnd {
        while true {
            let now = ContinuousClock.now
            let (end, delay) = state.withLock { state -> (LifeEnd?, Duration?) in
                if let end = state.end { return (end, nil) }
                guard let planned = state.planned else { return (nil, nil) }
                return planned.at <= now ? (planned.end, nil) : (nil, planned.at - now)
            }
            if let end { return end }
            if Task.isCancelled { return .exited("killed by SIGKILL (signal 9)") }
            await wakeup.wait(atMost: delay)
        }
    }
}
