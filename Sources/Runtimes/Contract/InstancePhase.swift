// SPDX-License-Identifier: MIT

/// Where an instance is in its life.
///
/// One table of transitions, shared by every driver.
public enum InstancePhase: String, Hashable, Sendable, CaseIterable {
    /// Wanted, not yet placed.
    case pending
    /// Placed, not yet ready.
    case starting
    /// Answers its probe.
    case ready
    /// Was ready and fails its probe; bound sessions still go there.
    case unready
    /// On its way out; bound sessions still go there until it ends.
    ///
    /// It ends when nobody needs it any more (``RuntimeDriver/release(_:incarnation:)``), and after
    /// ``WorkloadSpec/drainTime`` in any case. A newer generation that wants it again may take it back, where the
    /// platform can't start another life of that ordinal beside it.
    case draining
    /// Ended unasked and waits to be started again.
    case backingOff
    /// Ended because it was asked to.
    case stopped
    /// Stopped because nobody needed it; starts when it is woken (``RuntimeDriver/wake(_:)``).
    ///
    /// Takes neither new nor bound sessions; a request for it waits as for one that is ``starting``.
    case parked
    /// Contact to the platform is lost; keeps the last endpoint.
    case unknown

    /// What can happen to an instance.
    public enum Event: Hashable, Sendable, CaseIterable {
        /// It was started, or assigned a place; woken, if it was parked.
        case placed
        /// It answered its probe.
        case probeSucceeded
        /// It failed its probe as often as the threshold says.
        case probeFailed
        /// It did not become ready within the time it has to start.
        case startupTimedOut
        /// It ended.
        case exited
        /// It is no longer wanted.
        case removalRequested
        /// Nobody needs it for now.
        case parkRequested
        /// It drains, and a newer generation wants it after all.
        case wantedAgain
        /// The platform can't be reached.
        case contactLost
    }

    /// The phase after `event`, or `nil` where the event means nothing in this phase.
    ///
    /// An instance in ``unknown`` takes whatever phase the next snapshot shows, so only ``Event/contactLost`` has
    /// a meaning there.
    public func after(_ event: Event) -> InstancePhase? {
        switch (self, event) {
        case (.stopped, _): nil
        case (_, .contactLost): .unknown
        case (.unknown, _): nil
        case (.pending, .placed), (.backingOff, .placed), (.parked, .placed): .starting
        case (.pending, .exited), (.starting, .exited), (.ready, .exited), (.unready, .exited): .backingOff
        case (.starting, .startupTimedOut): .backingOff
        case (.starting, .probeSucceeded), (.ready, .probeSucceeded), (.unready, .probeSucceeded): .ready
        case (.starting, .probeFailed): .starting
        case (.ready, .probeFailed), (.unready, .probeFailed): .unready
        case (.pending, .removalRequested), (.backingOff, .removalRequested), (.parked, .removalRequested): .stopped
        case (.pending, .parkRequested), (.starting, .parkRequested), (.ready, .parkRequested): .parked
        case (.unready, .parkRequested), (.backingOff, .parkRequested), (.parked, .parkRequested): .parked
        case (.starting, .removalRequested), (.ready, .removalRequested), (.unready, .removalRequested): .draining
        case (.draining, .removalRequested): .draining
        case (.draining, .wantedAgain): .ready
        case (.draining, .exited): .stopped
        default: nil
        }
    }

    /// Whether a new session may be placed on such an instance.
    public var acceptsNewSessions: Bool { self == .ready }

    /// Whether requests of a session that is bound to such an instance are sent to it.
    public var acceptsBoundSessions: Bool {
        switch self {
        case .ready, .unready, .draining, .unknown: true
        case .pending, .starting, .backingOff, .stopped, .parked: false
        }
    }

    /// Whether a process of the instance exists, as far as is known.
    public var isRunning: Bool {
        switch self {
        case .starting, .ready, .unready, .draining, .unknown: true
        case .pending, .backingOff, .stopped, .parked: false
        }
    }
}
