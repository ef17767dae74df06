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
    /// Asked to stop; bound sessions still go there until it ends.
    case draining
    /// Ended unasked and waits to be started again.
    case backingOff
    /// Ended because it was asked to.
    case stopped
    /// Contact to the platform is lost; keeps the last endpoint.
    case unknown

    /// What can happen to an instance.
    public enum Event: Hashable, Sendable, CaseIterable {
        /// It was started, or assigned a place.
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
        case (.pending, .placed), (.backingOff, .placed): .starting
        case (.pending, .exited), (.starting, .exited), (.ready, .exited), (.unready, .exited): .backingOff
        case (.starting, .startupTimedOut): .backingOff
        case (.starting, .probeSucceeded), (.ready, .probeSucceeded), (.unready, .probeSucceeded): .ready
        case (.starting, .probeFailed): .starting
        case (.ready, .probeFailed), (.unready, .probeFailed): .unready
        case (.pending, .removalRequested), (.backingOff, .removalRequested): .stopped
        case (.starting, .removalRequested), (.ready, .removalRequested), (.unready, .removalRequested): .draining
        case (.draining, .removalRequested): .draining
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
        case .pending, .starting, .backingOff, .stopped: false
        }
    }

    /// Whether a process of the instance exists, as far as is known.
    public var isRunning: Bool {
        switch self {
        case .starting, .ready, .unready, .draining, .unknown: true
        case .pending, .backingOff, .stopped: false
        }
    }
}
