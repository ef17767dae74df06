// SPDX-License-Identifier: MIT

internal import DataPlane
internal import Model
internal import RuntimeContract
internal import Synchronization

/// Carries what the control plane publishes to the data plane, which is made after it because it needs its responder.
final class RoutingRelay: InstanceTraffic, Sendable {
    private let plane = Mutex<DataPlane?>(nil)

    /// Everything that is published goes to `plane` from now on; called before anything is published.
    func connect(_ plane: DataPlane) {
        self.plane.withLock { $0 = plane }
    }

    /// Whether nobody uses this life of an instance.
    func isIdle(_ instance: InstanceID, _ incarnation: Incarnation) -> Bool {
        plane.withLock(\.self)?.isIdle(instance, incarnation) ?? false
    }

    /// The live sessions of an adapter.
    func sessions(of adapter: AdapterName) -> [SessionSummary] {
        plane.withLock(\.self)?.sessions(of: adapter) ?? []
    }

    func use(of instance: InstanceID, _ incarnation: Incarnation) -> InstanceUse? {
        plane.withLock(\.self)?.use(of: instance, incarnation)
    }

    func wouldLoseSessions(of instance: InstanceID, _ incarnation: Incarnation) -> Bool {
        plane.withLock(\.self)?.wouldLoseSessions(of: instance, incarnation) ?? true
    }

    func close(_ instance: InstanceID, _ incarnation: Incarnation, since use: InstanceUse) -> Bool {
        plane.withLock(\.self)?.close(instance, incarnation, since: use) ?? false
    }

    func reopen(_ instance: InstanceID, _ incarnation: Incarnation) {
        plane.withLock(\.self)?.reopen(instance, incarnation)
    }

    func publish(_ directory: AdapterDirectory, _ endpoints: EndpointTable) {
        plane.withLock(\.self)?.publish(directory, endpoints)
    }
}
