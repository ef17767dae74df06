// SPDX-License-Identifier: MIT

import Synchronization

/// Which units are some life's, so that two lives of an instance never mean the same one.
final class UnitClaims: Sendable {
    private let taken = Mutex<Set<String>>([])

    /// Claims a unit; `false` if it is taken.
    func take(_ unit: String) -> Bool { taken.withLock { $0.insert(unit).inserted } }

    /// Lets go of a unit.
    func giveBack(_ unit: String) { taken.withLock { _ = $0.remove(unit) } }
}
