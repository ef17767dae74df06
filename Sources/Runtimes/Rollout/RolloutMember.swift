// SPDX-License-Identifier: MIT

public import RuntimeContract

/// What a roll-out needs to know of one life of an instance.
public struct RolloutMember: Hashable, Sendable {
    /// How it is.
    public enum State: Hashable, Sendable {
        /// It does not answer yet.
        case starting
        /// It answers.
        case ready
        /// It answered before and does not now.
        case unready
        /// It ended, and waits to be started again.
        case failing
        /// It is stopped until it is needed.
        case parked
    }

    /// How far it is on its way out.
    public enum Departure: Hashable, Sendable {
        /// It takes no new sessions since then; `isReleased` says that it has none any more.
        case draining(since: Duration, isReleased: Bool)
        /// It was asked to stop.
        case stopping
    }

    /// The caller's name for it.
    public var id: UInt64
    /// Which replica it is.
    public var ordinal: Int
    /// What it runs.
    public var revision: UInt64
    /// How it is.
    public var state: State
    /// How often it failed to start in a row.
    public var failures: Int
    /// How it failed the last time.
    public var failure: PhaseReason?
    /// How far it is on its way out; `nil` while it is to stay.
    public var departure: Departure?

    /// Describes a life.
    public init(
        id: UInt64, ordinal: Int, revision: UInt64, state: State, failures: Int = 0, failure: PhaseReason? = nil,
        departure: Departure? = nil
    ) {
        self.id = id
        self.ordinal = ordinal
        self.revision = revision
        self.state = state
        self.failures = failures
        self.failure = failure
        self.departure = departure
    }

    /// Whether sessions may be bound to it.
    var answers: Bool { state == .ready || state == .unready }
}
