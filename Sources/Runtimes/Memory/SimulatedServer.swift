// SPDX-License-Identifier: MIT

public import RuntimeContract

/// How a simulated instance behaves.
public struct SimulatedServer: Hashable, Sendable {
    /// What becomes of a start.
    public enum Startup: Hashable, Sendable {
        /// It becomes ready.
        case succeeds
        /// It runs and never answers; fails after the startup timeout.
        case hangs
        /// Nothing is started, for this reason.
        case fails(String)
        /// It ends at once, in these words: `exit code 3`.
        case exits(String)
    }

    /// What becomes of a start.
    public var startup: Startup
    /// Where it answers; `nil` for an endpoint that differs for every instance and that nobody listens at.
    public var endpoint: Endpoint?
    /// Whether it goes on when asked to end, until it is killed.
    public var ignoresTermination: Bool
    /// What it writes to its log when it starts.
    public var logLines: [String]

    /// Describes a server.
    public init(
        startup: Startup = .succeeds,
        endpoint: Endpoint? = nil,
        ignoresTermination: Bool = false,
        logLines: [String] = []
    ) {
        self.startup = startup
        self.endpoint = endpoint
        self.ignoresTermination = ignoresTermination
        self.logLines = logLines
    }
}
