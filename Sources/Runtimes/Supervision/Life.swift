// SPDX-License-Identifier: MIT

public import RuntimeContract

/// One life of an instance, from its start to its end.
public struct Life: Hashable, Sendable {
    /// Whose life it is.
    public let instance: InstanceID
    /// Different for every life that a supervisor ever starts.
    public let number: UInt64
    /// What is run.
    public let spec: WorkloadSpec
    /// What its launcher knows it by, if it runs from before and is to be taken over whatever it runs.
    public let inherited: String?
}

/// How a life ended, in words for people where there are words.
public enum LifeEnd: Hashable, Sendable {
    /// Nothing could be started.
    case startFailed(String)
    /// It ended, asked or unasked: `exit code 3`.
    case exited(String)
    /// It did not become ready in time and was killed.
    case startupTimedOut(String)
}

/// Where a launcher tells how a life goes on; the end is what ``Launcher/run(_:reports:stop:)`` returns.
public struct LifeReports: Sendable {
    /// What there is to tell.
    enum Report: Hashable, Sendable {
        case placed(Incarnation, Endpoint, isTakenOver: Bool)
        case probeSucceeded
        case probeFailed(String)
    }

    let send: @Sendable (Report) -> Void

    /// It was started, and will answer at `endpoint`; or it was taken over as it ran: ready, and with
    /// sessions that nobody knows.
    public func placed(_ incarnation: Incarnation, endpoint: Endpoint, isTakenOver: Bool = false) {
        send(.placed(incarnation, endpoint, isTakenOver: isTakenOver))
    }

    /// It answered its probe.
    public func probeSucceeded() { send(.probeSucceeded) }
    /// It failed its probe as often as the threshold says; `message` says how.
    public func probeFailed(_ message: String) { send(.probeFailed(message)) }
}
