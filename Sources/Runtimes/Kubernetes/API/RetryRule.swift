// SPDX-License-Identifier: MIT

/// Whether and when a call is tried again.
///
/// No clock of its own.
struct RetryRule: Hashable, Sendable {
    /// How long all tries together may take.
    var deadline: Duration = .seconds(10)
    var firstPause: Duration = .milliseconds(200)
    var longestPause: Duration = .seconds(3)

    /// How long to wait before try number `attempt` (1 is the first repetition), or `nil` to give up.
    ///
    /// Only a server that answered "not now" (429, 5xx) is asked again; one that can't be reached is for the caller to
    /// judge. The pause is what the server asked for, and at least a random part of one that doubles.
    func pause(
        after error: KubernetesError, attempt: Int, elapsed: Duration, random: Double
    ) -> Duration? {
        guard error.code == .unavailable, error.isAnswer else { return nil }
        let doubled = min(firstPause * (1 << min(attempt - 1, 16)), longestPause)
        let pause = max(doubled * (0.5 + random / 2), error.retryAfter ?? .zero)
        return elapsed + pause < deadline ? pause : nil
    }
}
