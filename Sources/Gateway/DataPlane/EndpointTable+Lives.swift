// SPDX-License-Identifier: MIT

import Model
import RuntimeContract

extension EndpointTable {
    /// Whether a life of an instance in `last` is not in this table any more.
    ///
    /// O(workloads), and looks into those only that have changed.
    func hasLostLives(since last: EndpointTable) -> Bool {
        last.instances.contains { workload, before in
            guard let now = instances[workload] else { return !before.isEmpty }
            guard now != before else { return false }
            return !before.allSatisfy { life in
                now.contains { $0.id == life.id && $0.incarnation == life.incarnation }
            }
        }
    }
}
