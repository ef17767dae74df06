// SPDX-License-Identifier: MIT

internal import Model
internal import RuntimeContract

/// Since when the lives of instances are not used, told from looks at them.
///
/// A use between two looks is taken for one at the second: a time is never too long. A pure value.
struct IdleTimes {
    /// One life of an instance.
    struct Life: Hashable {
        let instance: InstanceID
        let incarnation: Incarnation
    }

    private var seen: [Life: (begun: UInt32, since: Duration)] = [:]

    /// For how long `life` has not been used, at `now` on a clock that does not go back.
    ///
    /// - Parameter use: What is known of it now; its sessions count as use.
    mutating func look(at life: Life, _ use: InstanceUse, now: Duration) -> Duration {
        if let last = seen[life], last.begun == use.begun, use.requests == 0, use.sessions == 0 {
            return now - last.since
        }
        seen[life] = (use.begun, now)
        return .zero
    }

    /// Forgets all other lives.
    mutating func forget(allBut lives: Set<Life>) {
        seen = seen.filter { lives.contains($0.key) }
    }
}
