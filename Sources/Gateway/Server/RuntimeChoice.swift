// SPDX-License-Identifier: MIT

/// Where servers run.
public enum RuntimeChoice: String, Hashable, Sendable, CaseIterable {
    /// On this machine.
    case process
    /// As pods of a cluster.
    case kubernetes
}
