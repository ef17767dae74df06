// SPDX-License-Identifier: MIT

import Glibc
import RuntimeContract
import Spawn

/// Names one process for all time: the boot it belongs to, its id, and when it started.
enum ProcessIdentity {
    /// The incarnation that a child stands for.
    ///
    /// `nil` if it was gone before its start time could be read.
    static func incarnation(of child: ChildProcess) -> Incarnation? {
        child.start == 0 ? nil : Incarnation("\(ProcessTable.bootID).\(child.pid).\(child.start)")
    }
}
