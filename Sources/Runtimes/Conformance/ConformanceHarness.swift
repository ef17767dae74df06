// SPDX-License-Identifier: MIT

public import RuntimeContract

/// What the suite needs of a test target to try one driver: the driver, programs it can run, and ways to hurt it.
public protocol ConformanceHarness: Sendable {
    /// The driver under test, with nothing in it and not yet running; the suite calls `run()`.
    var driver: any RuntimeDriver { get }
    /// How many instances the driver has room for.
    var capacity: Int { get }

    /// What a workload runs to behave like `program`.
    func source(_ program: ConformanceProgram) -> WorkloadSource
    /// A spec that the driver can't run, made from a good one.
    func spoil(_ spec: WorkloadSpec) -> WorkloadSpec
    /// Ends an instance as a crash would.
    func kill(_ instance: InstanceID) async throws
    /// How many instances really run on the platform, whatever the driver says.
    func countRunning() async throws -> Int
    /// Loses the contact to the platform; only called with ``ConformanceFeature/contactLoss``.
    func cutConnection() async throws
    /// Restores the contact to the platform.
    func restoreConnection() async throws
}

/// What not every harness can do.
public enum ConformanceFeature: String, Hashable, Sendable, CaseIterable {
    /// The contact to the platform can be cut and restored.
    case contactLoss
    /// The platform takes up a shorter grace period for an instance that is on its way out already.
    ///
    /// Kubelets before 1.22 go on with the one that they began with.
    case shortenedGrace
}

/// How a program that the suite runs behaves.
public enum ConformanceProgram: Hashable, Sendable, CaseIterable {
    /// Answers HTTP, ends when asked to, and writes the lines `line 1` … `line 20` before it first answers.
    case server
    /// The same from another image.
    case newerServer
    /// Like ``server``, but goes on when asked to end.
    case stubbornServer
    /// Writes one line of 1 MiB and then the line `after`, and answers like ``server``.
    case shoutingServer
    /// Ends at once with exit code 3.
    case failing

    /// How many lines ``server`` writes.
    public static let lineCount = 20
    /// How many bytes the long line of ``shoutingServer`` has.
    public static let longLine = 1 << 20
}
