// SPDX-License-Identifier: MIT

import Rollout
import RuntimeContract

/// How the units of a state directory are called: `mcp-gateway-<tag>-<workload>-<ordinal>.service`, and `…_2.service` and
/// so on for a second life of an instance beside the first.
///
/// The name is the handle: after a restart of the gateway it finds its units by it, and only its own, since the tag stands
/// for the state directory.
struct UnitName: Hashable, Sendable {
    /// What the names of all units of the state directory begin with.
    let prefix: String

    /// The names for a state directory, whose owner this is.
    init(owner: String) {
        // FNV-1a: not for secrecy, only to be short and the same next time.
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in owner.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        prefix = "mcp-gateway-\(String(hash, radix: 36))"
    }

    /// How many lives of an instance there can be side by side, and one more for what just ends.
    static let slots = 1...(RolloutRules.maximumLives + 1)

    /// The unit of a life of an instance.
    func unit(_ instance: InstanceID, slot: Int = 1) -> String {
        slot == 1 ? "\(prefix)-\(instance).service" : "\(prefix)-\(instance)_\(slot).service"
    }

    /// What ``SystemdManager/units(like:)`` is to be asked for: all units, or those of a workload and others whose names
    /// begin like it.
    func pattern(_ workload: WorkloadID? = nil) -> String {
        workload.map { "\(prefix)-\($0)-*.service" } ?? "\(prefix)-*.service"
    }

    /// The instance that a unit is, if it is one of this state directory.
    func instance(_ unit: String) -> InstanceID? {
        guard unit.hasPrefix("\(prefix)-"), unit.hasSuffix(".service") else { return nil }
        var name = unit.dropFirst(prefix.count + 1).dropLast(8)
        // No workload's name has an underscore.
        if let slot = name.lastIndex(of: "_") { name = name[..<slot] }
        guard let hyphen = name.lastIndex(of: "-"), let workload = WorkloadID(String(name[..<hyphen])),
            let ordinal = Int(name[name.index(after: hyphen)...]), ordinal >= 0
        else { return nil }
        return InstanceID(workload: workload, ordinal: ordinal)
    }
}
