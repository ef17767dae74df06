// SPDX-License-Identifier: MIT

import NIOCore
import Probe
import RuntimeContract
import Supervision

/// Asks a server until it answers, and then again and again.
struct ReadinessWatch: Sendable {
    let group: any EventLoopGroup
    let plan: LaunchPlan
    let readiness: ReadinessProbe

    /// How long to wait between the first questions whether a server answers; each wait is half as long again.
    private static let firstWait = Duration.milliseconds(10)
    /// The longest wait between questions while a server starts.
    private static let longestWait = Duration.milliseconds(250)

    /// Reports what the server answers; ends when the task is cancelled or a stop is requested.
    ///
    /// Returns whether `kill` was called because it did not become ready in time.
    func run(_ reports: LifeReports, stop: StopSignal, kill: () -> Void) async -> Bool {
        let probe = HTTPProbe(
            group: group, endpoint: plan.endpoint, method: plan.probeMethod, path: plan.probePath,
            timeout: readiness.timeout)
        let deadline = ContinuousClock.now + readiness.startupTimeout
        var wait = Self.firstWait
        while await probe.ask() != nil {
            let left = deadline - ContinuousClock.now
            guard !Task.isCancelled, !stop.isRequested else { return false }
            guard left > .zero else {
                kill()
                return true
            }
            try? await Task.sleep(for: min(wait, left))
            wait = min(wait * 1.5, Self.longestWait)
        }
        reports.probeSucceeded()
        var failures = 0
        while !Task.isCancelled {
            try? await Task.sleep(for: readiness.period)
            guard !Task.isCancelled, !stop.isRequested else { return false }
            if let fault = await probe.ask() {
                failures += 1
                if failures >= readiness.failureThreshold, !Task.isCancelled {
                    reports.probeFailed("\(fault), \(failures) times in a row")
                }
            } else {
                failures = 0
                reports.probeSucceeded()
            }
        }
        return false
    }
}
