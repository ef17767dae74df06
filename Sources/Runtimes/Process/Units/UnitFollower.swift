// SPDX-License-Identifier: MIT

import Supervision
import Synchronization
import Systemd

/// Waits for what becomes of a unit.
final class UnitFollower: Sendable {
    private let manager: SystemdManager
    private let unit: String
    private let newest = Mutex<UnitState?>(nil)
    private let wakeup = Wakeup()
    private let watch = Mutex<UnitWatch?>(nil)

    init(_ manager: SystemdManager, _ unit: String) {
        self.manager = manager
        self.unit = unit
        let watching = manager.watch(unit) { [weak self] state in self?.take(state) }
        watch.withLock { $0 = watching }
    }

    deinit {
        if let watch = watch.withLock(\.self) { manager.unwatch(watch) }
    }

    private func take(_ state: UnitState) {
        newest.withLock { $0 = state }
        wakeup.signal()
    }

    /// Ends the present wait, or the next one, without a change.
    func interrupt() { wakeup.signal() }

    /// Waits until `condition` holds for the state of the unit, or `isOver` says that nobody waits any more; `nil` then.
    ///
    /// Looks again now and then by itself, so that a lost signal costs seconds and nothing else.
    func wait(
        until condition: (UnitState) -> Bool, unless isOver: () -> Bool = { false }
    ) async -> UnitState? {
        var looked = ContinuousClock.now
        while true {
            if let state = newest.withLock(\.self), condition(state) { return state }
            if isOver() { return nil }
            // A cancelled task gets no wait any more; the unit's end is waited for nevertheless.
            if Task.isCancelled { await Self.pause() } else { await wakeup.wait(atMost: .seconds(5)) }
            guard ContinuousClock.now - looked > .seconds(5) else { continue }
            looked = .now
            manager.refresh(unit)
        }
    }

    private static func pause() async {
        // Detached from the cancelled task; it ends by itself after the pause.
        await Task.detached { try? await Task.sleep(for: .milliseconds(20)) }.value
    }
}
