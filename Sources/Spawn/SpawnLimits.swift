// SPDX-License-Identifier: MIT

/// What the kernel holds a child and its descendants to.
public struct SpawnLimits: Hashable, Sendable {
    /// Open descriptors per process (RLIMIT_NOFILE, soft and hard); `nil` leaves what this process has.
    public var openFiles: Int?

    /// Describes limits.
    public init(openFiles: Int? = nil) {
        self.openFiles = openFiles
    }
}
