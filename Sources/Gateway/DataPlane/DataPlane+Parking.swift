// SPDX-License-Identifier: MIT

public import Model
public import RuntimeContract

extension DataPlane: InstanceTraffic {
    /// What went to this life of an instance; `nil` where it is not known, as when sessions could not be taken in for want
    /// of room.
    public func use(of instance: InstanceID, _ incarnation: Incarnation) -> InstanceUse? {
        guard registry.overflowCount == 0 else { return nil }
        return loads.load(of: instance, incarnation)?.use
    }

    /// Whether sessions live on this life of an instance that nothing is remembered of to begin them anew.
    public func wouldLoseSessions(of instance: InstanceID, _ incarnation: Incarnation) -> Bool {
        guard let adapter = AdapterName(instance.workload.rawValue) else { return true }
        return registry.sessions(of: adapter).contains { entry in
            entry.instance == instance && entry.incarnation == incarnation
                && registry.memories.find(entry.fingerprint) == nil
        }
    }

    /// Sends nothing more to this life of an instance, unless it was used since `use`.
    ///
    /// Decided together with the count of requests, at one moment for all loops.
    public func close(_ instance: InstanceID, _ incarnation: Incarnation, since use: InstanceUse) -> Bool {
        loads.load(of: instance, incarnation)?.close(since: use) ?? false
    }

    /// Takes ``close(_:_:since:)`` back; whoever waits is sent.
    public func reopen(_ instance: InstanceID, _ incarnation: Incarnation) {
        loads.load(of: instance, incarnation)?.reopen()
        placeWaitingAgain()
    }
}
