// SPDX-License-Identifier: MIT

internal import Synchronization

/// A flag that many may look at and that is never turned off again.
final class OneWaySwitch: Sendable {
    private let flag = Atomic(false)

    var isOn: Bool { flag.load(ordering: .acquiring) }

    func turnOn() { flag.store(true, ordering: .releasing) }
}
