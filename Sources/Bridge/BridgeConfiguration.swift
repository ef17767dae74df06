// SPDX-License-Identifier: MIT

/// What a bridge runs, where it listens, and how much it allows.
public struct BridgeConfiguration: Hashable, Sendable {
    /// Where the bridge answers HTTP.
    public enum Listener: Hashable, Sendable {
        /// A Unix socket at this path; a socket that nobody listens on any more is replaced.
        case unixSocket(path: String)
        /// A TCP port of an address; port 0 takes a free one.
        case tcp(host: String, port: UInt16)
    }

    /// Which revisions the command's server speaks.
    public enum EraChoice: String, Hashable, Sendable, CaseIterable {
        /// Find out by asking a child of its own with `server/discover`, at the first modern request.
        case auto
        /// The revisions with `initialize`, up to 2025-11-25.
        case legacy
        /// 2026-07-28 and later.
        case modern
    }

    /// The program: a path, or a name to look up in `PATH`.
    ///
    /// Never from a request.
    public var command: String
    /// Its arguments, without its own name.
    public var arguments: [String]
    /// Where to answer.
    public var listener: Listener
    /// Which revisions the server speaks.
    public var era: EraChoice = .auto
    /// The most bytes of a request body; 4 MiB, as in the SDKs.
    public var maximumBodyBytes = 4 * 1024 * 1024
    /// The most bytes of one line of a child; a longer one ends its session.
    public var maximumLineBytes = 16 * 1024 * 1024
    /// The most legacy sessions, and so children, at a time.
    public var maximumSessions = 256
    /// The most shared children of the modern era, one for each principal.
    public var maximumSharedChildren = 64
    /// How long a session or a shared child may go without a request or an open stream.
    public var idleTimeout = Duration.seconds(30 * 60)
    /// How long a child may take to answer `initialize`.
    public var startTimeout = Duration.seconds(60)
    /// How long the era probe waits for its answer.
    public var probeTimeout = Duration.seconds(10)
    /// How long the way from the signal to the end may take; children that are still there then are killed.
    public var shutdownTimeout = Duration.seconds(8)
    /// How long a client may take nothing from a full stream before it is disconnected.
    public var stallTimeout = Duration.seconds(30)
    /// The time between two comments on a quiet stream.
    public var keepAliveInterval = Duration.seconds(15)
    /// How many bytes may wait for the readers of a session before nothing more is read from its child.
    public var maximumPendingBytes = 1024 * 1024
    /// How many events a session keeps for clients that resume a stream.
    public var replayEvents = 512
    /// How many bytes of messages a session keeps for clients that resume a stream.
    public var replayBytes = 4 * 1024 * 1024
    /// How many bytes may wait in front of a child that does not read.
    public var maximumInputBytes = 8 * 1024 * 1024
    /// Origins that a browser may call from, besides those of this machine; exact, as in `https://example.com`.
    public var allowedOrigins: Set<String> = []

    /// A bridge for `command`.
    public init(command: String, arguments: [String] = [], listener: Listener) {
        self.command = command
        self.arguments = arguments
        self.listener = listener
    }
}
