// SPDX-License-Identifier: MIT

/// How long to wait before something that failed is tried again.
public struct Backoff: Hashable, Sendable {
    /// Before the second attempt, at most.
    public var first: Duration
    /// However often it failed.
    public var longest: Duration

    /// Waits that double from `first` to `longest`.
    public init(first: Duration = .milliseconds(500), longest: Duration = .seconds(60)) {
        self.first = first
        self.longest = longest
    }

    /// The wait after so many failed attempts (1 or more).
    ///
    /// - Parameter jitter: a random number in 0...1, so that what failed together is not tried together: the wait is
    ///   between half of the doubled one and all of it.
    func delay(afterAttempts attempts: Int, jitter: Double) -> Duration {
        let doublings = min(max(attempts - 1, 0), 30)
        let full = min(first * (1 << doublings), longest)
        return full * (0.5 + min(max(jitter, 0), 1) / 2)
    }
}
