// SPDX-License-Identifier: MIT

import Glibc
import NIOCore
import Spawn
import Synchronization

/// Ends one child: its standard input is closed and its group gets SIGTERM, and SIGKILL after the grace period.
///
/// The timer is the event loop's, so that the grace period is kept in a cancelled task as well.
final class Ending: Sendable {
    private struct State {
        var isAsked = false
        var isOver = false
        var kills: [Scheduled<Void>] = []
    }

    private let child: ChildProcess
    private let input: Int32
    private let loop: any EventLoop
    private let state = Mutex(State())

    /// Takes over `input`, this process's end of the child's standard input.
    init(child: ChildProcess, input: Int32, loop: any EventLoop) {
        self.child = child
        self.input = input
        self.loop = loop
    }

    /// Asks the child to end within `grace`; may be called again to shorten it.
    func ask(grace: Duration) {
        state.withLock { state in
            guard !state.isOver else { return }
            if !state.isAsked {
                state.isAsked = true
                close(input)
            }
            guard grace > .zero else { return }
            let child = child
            state.kills.append(loop.scheduleTask(in: TimeAmount(grace)) { _ = child.signalGroup(SIGKILL) })
        }
        child.signalGroup(grace > .zero ? SIGTERM : SIGKILL)
    }

    /// Lets go of everything; the child has ended.
    func finish() {
        let kills = state.withLock { state in
            if !state.isAsked { close(input) }
            state.isOver = true
            state.isAsked = true
            return state.kills
        }
        for kill in kills { kill.cancel() }
    }
}
