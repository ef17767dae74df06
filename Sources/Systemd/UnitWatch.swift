// SPDX-License-Identifier: MIT

import Synchronization

/// The newest state of one unit, and a call at every change.
public final class UnitWatch: Sendable {
    let unit: String
    private let changed: @Sendable (UnitState) -> Void
    private let last = Mutex<UnitState?>(nil)

    init(_ unit: String, changed: @escaping @Sendable (UnitState) -> Void) {
        self.unit = unit
        self.changed = changed
    }

    /// Takes up what the manager says; called on its thread.
    func update(_ state: UnitState) {
        let isNew = last.withLock { last in
            guard last != state else { return false }
            last = state
            return true
        }
        if isNew { changed(state) }
    }
}
