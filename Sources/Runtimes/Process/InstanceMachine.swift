// SPDX-License-Identifier: MIT

internal import RuntimeContract
internal import Spawn

/// What one instance does next: decides, and does nothing itself.
///
/// The phases are those of the shared table (``InstancePhase/after(_:)``); this adds the counting that a local process
/// needs: how often it failed, how long it ran, how many probes went wrong.
struct InstanceMachine {
    /// What the instance's supervisor is to do.
    enum Action: Equatable {
        /// Nothing.
        case none
        /// Start the process.
        case start
        /// Ask it to stop, and kill it after the grace period.
        case stop
        /// Kill it: it did not become ready in time.
        case kill
        /// Wait so long, then start it again.
        case restart(after: Duration)
        /// It is over for good.
        case finish
    }

    private(set) var phase = InstancePhase.pending
    private(set) var reason: PhaseReason?
    private(set) var restarts = 0

    private let backoff: RestartBackoff
    private let failureThreshold: Int
    private var failures = 0
    private var failedProbes = 0
    private var startedAt: ContinuousClock.Instant?
    private var becameReadyAt: ContinuousClock.Instant?
    private var ranOutOfTime = false

    init(backoff: RestartBackoff, failureThreshold: Int) {
        self.backoff = backoff
        self.failureThreshold = failureThreshold
    }

    /// Whether nothing more will happen.
    var isOver: Bool { phase == .stopped }

    /// The instance is wanted: at the beginning, and when the wait for a restart is over.
    mutating func begin() -> Action {
        phase == .pending || phase == .backingOff ? .start : .none
    }

    /// The process was started at `now`.
    mutating func started(at now: ContinuousClock.Instant) {
        if phase == .backingOff { restarts += 1 }
        enter(.placed)
        startedAt = now
        becameReadyAt = nil
        failedProbes = 0
        ranOutOfTime = false
    }

    /// The process could not be started.
    mutating func startFailed(_ message: String, using generator: inout some RandomNumberGenerator) -> Action {
        failures += 1
        enter(.exited)
        reason = PhaseReason(.startFailed, message)
        return .restart(after: backoff.delay(after: failures, using: &generator))
    }

    /// A probe was answered, or not.
    mutating func probed(_ isAnswered: Bool, at now: ContinuousClock.Instant) -> Action {
        if isAnswered {
            failedProbes = 0
            guard phase == .starting || phase == .unready else { return .none }
            enter(.probeSucceeded)
            becameReadyAt = becameReadyAt ?? now
            reason = nil
        } else if phase == .ready {
            failedProbes += 1
            guard failedProbes >= failureThreshold else { return .none }
            enter(.probeFailed)
            reason = PhaseReason(.probeFailed, "it did not answer \(failedProbes) probes in a row")
        }
        return .none
    }

    /// It had its time to become ready.
    mutating func startupTimedOut(after timeout: Duration) -> Action {
        guard phase == .starting else { return .none }
        ranOutOfTime = true
        reason = PhaseReason(.startupTimedOut, "it did not answer HTTP within \(timeout)")
        return .kill
    }

    /// The process ended at `now`.
    mutating func exited(
        _ status: ExitStatus, at now: ContinuousClock.Instant, using generator: inout some RandomNumberGenerator
    ) -> Action {
        if phase == .draining {
            enter(.exited)
            reason = nil
            return .finish
        }
        if let readyAt = becameReadyAt, now - readyAt >= backoff.forgivenAfter { failures = 0 }
        failures += 1
        enter(.exited)
        if !ranOutOfTime {
            let words = "it ended: \(status)"
            reason =
                failures > 1
                ? PhaseReason(.crashLoop, "\(words); that was failure \(failures) in a row")
                : PhaseReason(.exited, words)
        }
        return .restart(after: backoff.delay(after: failures, using: &generator))
    }

    /// It is no longer wanted.
    mutating func removalRequested() -> Action {
        switch phase {
        case .pending, .backingOff:
            enter(.removalRequested)
            return .finish
        case .starting, .ready, .unready:
            enter(.removalRequested)
            reason = PhaseReason(.stopping, "it was asked to stop")
            return .stop
        case .draining, .stopped, .unknown: return .none
        }
    }

    private mutating func enter(_ event: InstancePhase.Event) {
        guard let next = phase.after(event) else { return }
        phase = next
    }
}
