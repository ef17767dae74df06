// SPDX-License-Identifier: MIT

import Rollout
package import RuntimeContract

// MARK: - What happens

extension WorkloadMachine {
    /// A life has begun.
    package mutating func placed(
        life: UInt64, _ incarnation: Incarnation, _ endpoint: Endpoint, takenOverAt moment: Duration? = nil
    ) {
        change(life) { record in
            record.incarnation = incarnation
            record.endpoint = endpoint
            record.takenOverAt = moment
        }
    }

    /// An instance answered its probe.
    package mutating func probeSucceeded(life: UInt64, now: Duration, lives: inout UInt64) -> [Action] {
        change(life) { record in
            guard record.endpoint != nil, record.take(.probeSucceeded) else { return }
            record.reason = nil
            record.readySince = record.readySince ?? now
        }
        return advance(now: now, &lives)
    }

    /// An instance failed its probe as often as the threshold says.
    package mutating func probeFailed(
        life: UInt64, _ message: String, now: Duration, lives: inout UInt64
    ) -> [Action] {
        change(life) { record in
            guard record.take(.probeFailed), record.phase == .unready else { return }
            record.reason = PhaseReason(.probeFailed, message)
            record.failure = record.reason
            record.readySince = nil
        }
        return advance(now: now, &lives)
    }

    /// A life is over.
    package mutating func ended(
        life: UInt64, _ end: LifeEnd, now: Duration, random: Double, lives: inout UInt64
    ) -> [Action] {
        if ending.removeValue(forKey: life) != nil { return advance(now: now, &lives) }
        guard let key = key(of: life), var record = records[key] else { return [] }
        let event: InstancePhase.Event = if case .startupTimedOut = end { .startupTimedOut } else { .exited }
        // A life that was asked to end has ended, whatever it says of itself.
        guard record.take(event) || record.take(.exited) else { return [] }
        if record.phase == .stopped || record.inherited != nil {
            records[key] = nil
        } else {
            if let since = record.readySince, now - since >= backoff.resetAfter { record.failures = 0 }
            record.failures += 1
            record.readySince = nil
            let delay = backoff.delay(afterFailures: record.failures, random: random)
            record.retryAt = now + delay
            record.failure = Self.reason(end, failures: record.failures)
            record.reason = record.failure.map {
                PhaseReason($0.code, "\($0.message); next start in \(Self.words(delay))")
            }
            records[key] = record
        }
        return advance(now: now, &lives)
    }

    private func key(of life: UInt64) -> UInt64? {
        records.first { $0.value.life == life && $0.value.phase.isRunning }?.key
    }

    private mutating func change(_ life: UInt64, _ change: (inout InstanceRecord) -> Void) {
        guard let key = key(of: life), var record = records[key] else { return }
        change(&record)
        records[key] = record
    }
}

// MARK: - Parking

extension WorkloadMachine {
    /// Stops an instance until it is woken, if this is its present life and it takes sessions.
    package mutating func park(
        _ ordinal: Int, _ incarnation: Incarnation, now: Duration, lives: inout UInt64
    ) -> [Action] {
        let found = records.first { _, record in
            record.id.ordinal == ordinal && record.incarnation == incarnation && record.departure == nil
                && record.revision == rollout.serving && record.inherited == nil
        }
        guard let (key, found) = found else { return [] }
        var record = found
        let wasRunning = record.phase.isRunning
        guard record.phase != .parked, record.take(.parkRequested) else { return [] }
        var actions: [Action] = []
        if wasRunning {
            ending[record.life] = ordinal
            actions.append(.stop(life: record.life, grace: record.spec.gracePeriod))
        }
        record.reason = PhaseReason(.parked, "nobody needed it; the next request starts it")
        record.incarnation = nil
        record.endpoint = nil
        record.readySince = nil
        record.retryAt = nil
        record.failures = 0
        record.takenOverAt = nil
        record.isWoken = false
        records[key] = record
        return actions + advance(now: now, &lives)
    }

    /// Starts an instance that is parked.
    package mutating func wake(_ ordinal: Int, now: Duration, lives: inout UInt64) -> [Action] {
        for (key, record) in records where record.id.ordinal == ordinal && record.phase == .parked {
            records[key]?.isWoken = true
        }
        return advance(now: now, &lives)
    }

    /// Starts what was woken, as soon as there is room for it.
    mutating func startWoken(_ lives: inout UInt64) -> [Action] {
        var actions: [Action] = []
        for key in records.keys.sorted() {
            guard var record = records[key], record.isWoken, hasRoom(record.id.ordinal), record.take(.placed) else {
                continue
            }
            record.reason = nil
            actions.append(restart(&record, &lives))
            records[key] = record
        }
        return actions
    }
}
