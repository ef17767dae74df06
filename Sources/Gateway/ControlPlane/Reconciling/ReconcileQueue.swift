// SPDX-License-Identifier: MIT

internal import RuntimeContract

/// Which workload is brought up to date when: one thing at a time per workload, a bounded number in all.
///
/// Holds nothing about a workload that is up to date. However often a workload is asked for, it is due once. Moments
/// are durations since some beginning. No I/O.
struct ReconcileQueue {
    /// What to do now.
    enum Step: Hashable {
        /// Bring this workload up to date, and say ``finish(_:_:at:)`` then.
        case start(WorkloadID)
        /// Nothing, until that moment or until something changes.
        case wait(until: Duration?)
    }

    /// How bringing a workload up to date ended.
    enum Outcome: Hashable {
        case succeeded
        case failed(retryIn: Duration)
    }

    private struct Entry {
        var isRunning = false
        /// Whether it was asked for while it ran, so that it must run once more.
        var isAskedAgain = false
        var failedAttempts = 0
        /// When a failed one is tried again.
        var retryAt: Duration?
    }

    private var entries: [WorkloadID: Entry] = [:]
    /// What is due, first come, first served.
    private var due: [WorkloadID] = []
    private var running = 0
    private let limit: Int

    init(limit: Int) {
        precondition(limit > 0, "something must be able to run")
        self.limit = limit
    }

    /// What is wanted of `id` has changed: it is due at once, and its failures are forgotten.
    mutating func ask(_ id: WorkloadID) {
        guard var entry = entries[id] else {
            entries[id] = Entry()
            due.append(id)
            return
        }
        if entry.isRunning {
            entry.isAskedAgain = true
        } else if entry.retryAt != nil {
            entry.retryAt = nil
            due.append(id)
        }
        entry.failedAttempts = 0
        entries[id] = entry
    }

    /// The runtime was seen to differ from what is wanted; without effect where something happens already.
    mutating func nudge(_ id: WorkloadID) {
        if entries[id] == nil { ask(id) }
    }

    /// What to do at `now`.
    mutating func next(at now: Duration) -> Step {
        var nearest: Duration?
        for (id, entry) in entries {
            guard let moment = entry.retryAt else { continue }
            if moment <= now {
                entries[id]?.retryAt = nil
                due.append(id)
            } else {
                nearest = min(nearest ?? moment, moment)
            }
        }
        guard running < limit, !due.isEmpty else { return .wait(until: nearest) }
        let id = due.removeFirst()
        entries[id]?.isRunning = true
        running += 1
        return .start(id)
    }

    /// How often `id` has failed in a row, before the attempt that runs now.
    func failedAttempts(of id: WorkloadID) -> Int {
        entries[id]?.failedAttempts ?? 0
    }

    /// What was started has ended at `now`.
    mutating func finish(_ id: WorkloadID, _ outcome: Outcome, at now: Duration) {
        guard var entry = entries[id], entry.isRunning else {
            preconditionFailure("\(id) was not running")
        }
        running -= 1
        entry.isRunning = false
        if entry.isAskedAgain {
            entry.isAskedAgain = false
            entries[id] = entry
            due.append(id)
            return
        }
        switch outcome {
        case .succeeded:
            entries[id] = nil
        case .failed(let delay):
            entry.failedAttempts += 1
            entry.retryAt = now + delay
            entries[id] = entry
        }
    }
}
