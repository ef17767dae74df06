// SPDX-License-Identifier: MIT

import Synchronization

/// How many streams that stand open each principal has, over all loops: those of GET, of HTTP+SSE and of
/// `subscriptions/listen`.
///
/// Requests that end by themselves are not counted: what limits those is time. Takes a lock for each stream's beginning
/// and end.
final class StandingStreams: Sendable {
    private let maximum: Int
    private let counts = Mutex<[String: Int]>([:])

    /// A count of none, of at most `maximum` each.
    init(maximum: Int) {
        self.maximum = maximum
    }

    /// Whether there is none.
    var isEmpty: Bool { counts.withLock(\.isEmpty) }

    /// Counts a stream of `principal`; `false` when there are enough, and then none is counted.
    func begin(_ principal: String) -> Bool {
        counts.withLock { counts in
            let count = counts[principal, default: 0]
            guard count < maximum else { return false }
            counts[principal] = count + 1
            return true
        }
    }

    /// Counts a stream of `principal` less.
    func end(_ principal: String) {
        counts.withLock { counts in
            let count = counts[principal, default: 0]
            counts[principal] = count > 1 ? count - 1 : nil
        }
    }
}
