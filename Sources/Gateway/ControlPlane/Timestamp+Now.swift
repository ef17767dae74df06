// SPDX-License-Identifier: MIT

internal import Glibc
public import RuntimeContract

extension Timestamp {
    /// The present moment by the system's wall clock.
    public static var now: Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(millisecondsSinceEpoch: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }
}
