// SPDX-License-Identifier: MIT

import Glibc

/// Gives memory back to the system that the allocator would keep for later, after much was let go of.
///
/// A rush of connections and sessions leaves tens of megabytes of freed blocks between a few that live (2,000 idle streams:
/// seen). Giving them back walks through all of them, so that it is done only where it pays.
struct FreedMemory {
    /// How much less has to be held than at most before: some megabytes.
    static let worth = 1000

    private var highest = 0

    /// Whether so much less is held than at most since the last time that memory is to be given back.
    ///
    /// - Parameters:
    ///   - held: How many connections, requests and sessions there are.
    ///   - peak: The most that there were since the last call.
    mutating func isWorthGivingBack(held: Int, highest peak: Int) -> Bool {
        highest = max(highest, peak)
        guard held + Self.worth <= highest else { return false }
        highest = held
        return true
    }

    /// Gives it back; takes some milliseconds, in which other threads can wait for memory.
    ///
    /// Without effect where the C library has no malloc_trim(3).
    static func giveBack() {
        typealias Trim = @convention(c) (Int) -> CInt
        guard let address = dlsym(nil, "malloc_trim") else { return }
        _ = unsafeBitCast(address, to: Trim.self)(0)
    }
}
