// SPDX-License-Identifier: MIT

public import RuntimeContract

/// What went to one life of an instance up to a moment, as far as this gateway knows.
public struct InstanceUse: Hashable, Sendable {
    /// How many requests and streams were begun; only good for telling whether there were more since.
    public var begun: UInt32
    /// Requests and streams that are not over.
    public var requests: Int
    /// Live sessions, and those that are about to begin.
    public var sessions: Int

    /// Describes a use.
    public init(begun: UInt32, requests: Int, sessions: Int) {
        self.begun = begun
        self.requests = requests
        self.sessions = sessions
    }
}

/// The traffic to instances, as who parks them has to know and to stop it.
public protocol InstanceTraffic: Sendable {
    /// What went to this life of an instance; `nil` where that is not known.
    func use(of instance: InstanceID, _ incarnation: Incarnation) -> InstanceUse?

    /// Whether sessions live on this life of an instance that could not be begun anew without it.
    ///
    /// Looks through all sessions.
    func wouldLoseSessions(of instance: InstanceID, _ incarnation: Incarnation) -> Bool

    /// Sends nothing more to this life of an instance, unless it was used since `use`.
    ///
    /// From a return of `true` on, requests that would have gone there wait, or go elsewhere.
    func close(_ instance: InstanceID, _ incarnation: Incarnation, since use: InstanceUse) -> Bool

    /// Takes ``close(_:_:since:)`` back; whoever waits is sent.
    func reopen(_ instance: InstanceID, _ incarnation: Incarnation)
}
