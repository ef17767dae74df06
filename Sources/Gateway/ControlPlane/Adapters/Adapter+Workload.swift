// SPDX-License-Identifier: MIT

internal import Model
internal import RuntimeContract

extension Adapter {
    /// What `driver` is to run or watch.
    ///
    /// A platform without workload identities is not asked for one: a body that was written for a cluster works as it is
    /// on one machine, where servers have the identity of the gateway anyway.
    func workload(on driver: any RuntimeDriver, _ configuration: ControlPlaneConfiguration) -> WorkloadSpec {
        var workload = workload(configuration.defaults(for: self))
        if !driver.capabilities.supportsWorkloadIdentity { workload.usesWorkloadIdentity = false }
        return workload
    }
}
