// SPDX-License-Identifier: MIT

/// What holds for the roll-outs of one workload now.
public struct RolloutRules: Hashable, Sendable {
    /// How many lives one ordinal may have at once; a newer revision waits for the end of one that drains.
    public static let maximumLives = 4
    /// How often in a row an instance of a new revision may fail to start before the revision is withdrawn.
    public static let maximumFailures = 3

    /// How many instances of each revision there are to be; as many as there are of one that is not in it, which can't be
    /// started.
    public var replicas: [UInt64: Int]
    /// How long a life that drains is kept while it has sessions.
    public var drainTime: Duration
    /// Whether lives of both revisions can run side by side.
    ///
    /// Where they can't, since both would listen on one port say, the old ones are stopped first.
    public var surges: Bool

    /// Describes rules.
    public init(replicas: [UInt64: Int], drainTime: Duration, surges: Bool) {
        self.replicas = replicas
        self.drainTime = drainTime
        self.surges = surges
    }
}
