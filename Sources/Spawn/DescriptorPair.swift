// SPDX-License-Identifier: MIT

import CSpawn
import Glibc

/// The two ends of a pipe, both closed on exec.
///
/// Plain numbers: whoever made the pipe closes each end exactly once, or hands it to something that does.
public struct DescriptorPair: Hashable, Sendable {
    /// Where bytes come out.
    public let readEnd: Int32
    /// Where bytes go in.
    public let writeEnd: Int32

    /// Makes a pipe (pipe2(2) with O_CLOEXEC).
    ///
    /// - Throws: `open`, when this process has no descriptor left.
    public static func pipe() throws(SpawnError) -> DescriptorPair {
        var ends: [Int32] = [-1, -1]
        guard cspawn_pipe(&ends) == 0 else { throw SpawnError(.open, errno, "can't make a pipe") }
        return DescriptorPair(readEnd: ends[0], writeEnd: ends[1])
    }

    /// Closes both ends.
    public func close() {
        _ = Glibc.close(readEnd)
        _ = Glibc.close(writeEnd)
    }
}
