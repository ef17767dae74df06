// SPDX-License-Identifier: MIT

/// How long to wait before something that ended is started again: capped, exponential, with jitter.
public struct Backoff: Hashable, Sendable {
    /// The wait after the first failure.
    public var initial: Duration
    /// The longest wait, jitter not counted.
    public var maximum: Duration
    /// What each wait is multiplied by for the next one; 1 or more.
    public var factor: Double
    /// The part of a wait by which it may be longer or shorter; 0...1.
    ///
    /// Spreads instances that failed together for the same reason.
    public var jitter: Double
    /// How long an instance must have been ready for its earlier failures to be forgotten.
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
        for _ in 1..<max(failures, 1) where delay < maximum { delay = delay * factor }
        return min(delay, maximum) * (1 + jitter * (2 * random - 1))
    }
}
