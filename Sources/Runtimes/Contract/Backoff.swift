// SPDX-License-Identifier: MIT

/// How long to wait before something that failed is tried again: capped, exponential, with jitter.
///
/// Of instances that ended, of changes that could not be made, of a platform that can't be reached.
public struct Backoff: Hashable, Sendable {
    /// The wait after the first failure.
    public var initial: Duration
    /// The longest wait, jitter not counted.
    public var maximum: Duration
    /// What each wait is multiplied by for the next one; 1 or more.
    public var factor: Double
    /// The part of a wait by which it may be longer or shorter; 0...1.
    ///
    /// Spreads what failed together for the same reason.
    public var jitter: Double
    /// How long it must have gone well for earlier failures to be forgotten, where that is a matter of time.
    public var resetAfter: Duration

    /// Describes waits.
    public init(
        initial: Duration = .milliseconds(500),
        maximum: Duration = .seconds(60),
        factor: Double = 2,
        jitter: Double = 0.2,
        resetAfter: Duration = .seconds(60)
    ) {
        self.initial = initial
        self.maximum = maximum
        self.factor = factor
        self.jitter = jitter
        self.resetAfter = resetAfter
    }

    /// The wait after so many failures in a row (1 or more), where `random` in 0..<1 chooses within the jitter.
    public func delay(afterFailures failures: Int, random: Double) -> Duration {
        var delay = initial
        var left = failures
        while left > 1, delay < maximum, factor > 1 {
            delay = delay * factor
            left -= 1
        }
        return min(delay, maximum) * (1 + jitter * (2 * random - 1))
    }
}
