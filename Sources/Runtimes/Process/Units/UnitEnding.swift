// SPDX-License-Identifier: MIT

import Glibc
import NIOCore
import Synchronization
import Systemd

/// Ends one unit: SIGTERM, and SIGKILL to all of its control group after the grace period.
///
/// By signals and not by StopUnit, whose timeout was set when the unit was made: a removal may have another one. What the
/// main process leaves behind systemd ends itself, with the control group.
final class UnitEnding: Sendable {
    private struct State {
        var isOver = false
        var kills: [Scheduled<Void>] = []
    }

    private let unit: String
    private let manager: SystemdManager
    private let onlyMain: Bool
    private let loop: any EventLoop
    private let state = Mutex(State())

    /// - Parameter onlyMain: whether only the main process is asked; a bridge ends its servers in good order itself.
    init(unit: String, manager: SystemdManager, onlyMain: Bool, loop: any EventLoop) {
        self.unit = unit
        self.manager = manager
        self.onlyMain = onlyMain
        self.loop = loop
    }

    /// Asks the unit to end within `grace`; may be called again to shorten it.
    func ask(grace: Duration) {
        let unit = unit
        let manager = manager
        let isOver = state.withLock { state in
            if !state.isOver, grace > .zero {
                state.kills.append(loop.scheduleTask(in: TimeAmount(grace)) { manager.signal(unit, SIGKILL) })
            }
            return state.isOver
        }
        guard !isOver else { return }
        manager.signal(unit, grace > .zero ? SIGTERM : SIGKILL, onlyMain: grace > .zero && onlyMain)
    }

    /// Lets go of the timers; the unit has ended, or is let go.
    func finish() {
        let kills = state.withLock { state in
            state.isOver = true
            return state.kills
        }
        for kill in kills { kill.cancel() }
    }

    /// Ends a unit that nobody follows, and returns when it is gone, or a few seconds after the grace period.
    static func end(_ unit: String, _ manager: SystemdManager, grace: Duration) async {
        try? await manager.hold(unit)
        let follower = UnitFollower(manager, unit)
        manager.signal(unit, SIGTERM)
        let deadline = ContinuousClock.now + grace
        let killed = deadline + .seconds(5)
        let clock = Task {
            // Cancelled below; it only wakes the one who waits.
            guard (try? await Task.sleep(until: deadline)) != nil else { return }
            manager.signal(unit, SIGKILL)
            follower.interrupt()
            try? await Task.sleep(until: killed)
            follower.interrupt()
        }
        _ = await follower.wait(until: \.hasEnded) { ContinuousClock.now >= killed }
        clock.cancel()
        await manager.forget(unit)
    }
}
