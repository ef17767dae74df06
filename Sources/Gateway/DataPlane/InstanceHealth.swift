// SPDX-License-Identifier: MIT

/// When an instance that fails is left out of placement (passive ejection).
public struct EjectionPolicy: Hashable, Sendable {
    /// After how many failures in a row; 1 or more.
    public var failures: Int
    /// How long the first time, in nanoseconds; each failed trial doubles it.
    public var firstNanoseconds: UInt64
    /// How long at most, in nanoseconds.
    public var longestNanoseconds: UInt64

    /// Describes a policy: by default three failures, one second, ten seconds at most.
    public init(
        failures: Int = 3, firstNanoseconds: UInt64 = 1_000_000_000, longestNanoseconds: UInt64 = 10_000_000_000
    ) {
        self.failures = failures
        self.firstNanoseconds = firstNanoseconds
        self.longestNanoseconds = longestNanoseconds
    }
}

/// What the requests to one life of an instance tell about it: a circuit breaker.
///
/// Pure; times are nanoseconds of any clock that does not go backwards. Only what is bound to no instance is kept away:
/// a session has nowhere else to go, and its answers count as well.
struct InstanceHealth: Hashable, Sendable {
    private enum Phase: Hashable {
        /// Takes requests; so many have failed since the last answer.
        case closed(failures: Int)
        /// Takes none until then; so often it was left out in a row.
        case open(until: UInt64, times: Int)
        /// Time is up: one request is on its way to find out.
        case trial(times: Int)
    }

    /// What ``admit(at:)`` says.
    enum Admission: Hashable {
        /// Send it.
        case admitted
        /// Send it, and tell what becomes of it: it is the trial.
        case admittedOnTrial
        /// Send it elsewhere.
        case refused
    }

    private var phase = Phase.closed(failures: 0)

    /// Whether nothing has failed since the last answer.
    var isSound: Bool { phase == .closed(failures: 0) }

    /// From when on requests are admitted: 0 means now, the largest number not before the trial is over.
    var closedUntil: UInt64 {
        switch phase {
        case .closed: 0
        case .open(let until, _): until
        case .trial: .max
        }
    }

    /// Whether a request that could go elsewhere is to be sent here.
    mutating func admit(at now: UInt64) -> Admission {
        switch phase {
        case .closed: return .admitted
        case .trial: return .refused
        case .open(let until, let times):
            guard now >= until else { return .refused }
            phase = .trial(times: times)
            return .admittedOnTrial
        }
    }

    /// A connection could not be made, or ended before its answer, or no answer came in time.
    ///
    /// - Returns: whether the instance is left out from now on, and was not before.
    mutating func failed(at now: UInt64, _ policy: EjectionPolicy) -> Bool {
        switch phase {
        case .closed(let failures):
            guard failures + 1 >= policy.failures else {
                phase = .closed(failures: failures + 1)
                return false
            }
            phase = .open(until: now + policy.firstNanoseconds, times: 1)
            return true
        case .trial(let times):
            let doubled = policy.firstNanoseconds.multipliedReportingOverflow(by: 1 << UInt64(min(times, 32)))
            let wait =
                doubled.overflow ? policy.longestNanoseconds : min(doubled.partialValue, policy.longestNanoseconds)
            phase = .open(until: now + wait, times: times + 1)
            return true
        case .open:
            // On its way since before.
            return false
        }
    }

    /// An answer has begun, whatever its status.
    mutating func succeeded() {
        phase = .closed(failures: 0)
    }

    /// The trial was given up, by its client say: it told nothing, and the next request is the trial.
    mutating func abandoned(at now: UInt64) {
        if case .trial(let times) = phase { phase = .open(until: now, times: times) }
    }
}
