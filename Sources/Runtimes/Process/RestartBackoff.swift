// SPDX-License-Identifier: MIT

/// How long to wait before an instance that ended unasked is started again: doubled each time, capped, with jitter.
public struct RestartBackoff: Hashable, Sendable {
    /// The first wait.
    public var initial: Duration
    /// The longest wait.
    public var maximum: Duration
    /// How long an instance must have run for its earlier failures to be forgotten.
    public var forgivenAfter: Duration

    /// A policy.
    public init(
        initial: Duration = .milliseconds(500), maximum: Duration = .seconds(60), forgivenAfter: Duration = .seconds(60)
    ) {
        self.initial = initial
        self.maximum = maximum
        self.forgivenAfter = forgivenAfter
    }

    /// The wait after `failures` failures in a row, 1 or more: between half and all of the doubled time, so that many
    /// instances that failed together don't come back together.
    func delay(after failures: Int, using generator: inout some RandomNumberGenerator) -> Duration {
        var delay = initial
        for _ in 1..<max(failures, 1) {
            if delay >= maximum { break }
            delay = delay * 2
        }
        delay = min(delay, maximum)
        return delay / 2 + delay / 2 * Double.random(in: 0...1, using: &generator)
    }
}
