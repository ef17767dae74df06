// SPDX-License-Identifier: MIT

import RuntimeContract

/// What every published state must fulfil.
enum LegalStates {
    /// Checks each state until the driver has shut down.
    static func watch(_ driver: any RuntimeDriver) async throws {
        var before: RuntimeSnapshot?
        for await snapshot in driver.observe() {
            for workload in snapshot.workloads.values {
                try check(workload)
                if let before = before?.workloads[workload.id] { try check(before, then: workload) }
            }
            before = snapshot
        }
    }

    private static func check(_ workload: WorkloadStatus) throws {
        let ordinals = workload.instances.map(\.id.ordinal)
        try expect(ordinals == ordinals.sorted(), "ordinals are in order: \(workload)")
        let present = workload.instances.filter(\.phase.acceptsNewSessions).map(\.id)
        try expect(
            Set(present).count == present.count, "of one ordinal one life at most takes new sessions: \(workload)")
        try expect(
            workload.instances.allSatisfy { $0.id.workload == workload.id }, "names belong together: \(workload)")
        for instance in workload.instances {
            try expect(instance.usage == nil, "what is used is no change of state: \(instance)")
            switch instance.phase {
            case .ready, .unready:
                try expect(instance.endpoint != nil, "an instance that answers has an endpoint: \(instance)")
                try expect(instance.incarnation != nil, "an instance that answers has an incarnation: \(instance)")
            case .draining, .unknown:
                break
            case .pending, .starting, .backingOff, .stopped, .parked:
                try expect(instance.endpoint == nil, "an instance that does not answer has no endpoint: \(instance)")
            }
            if instance.phase == .backingOff {
                try expect(instance.reason != nil, "a reason for the backoff is given: \(instance)")
            }
        }
        let live = workload.instances.filter { $0.endpoint != nil }
        try expect(Set(live.map(\.endpoint)).count == live.count, "no two instances answer at one place: \(workload)")
        let incarnations = workload.instances.compactMap(\.incarnation)
        try expect(Set(incarnations).count == incarnations.count, "no two instances share a life: \(workload)")
    }

    private static func check(_ before: WorkloadStatus, then after: WorkloadStatus) throws {
        // A workload that was removed and made again between two states may begin with any generation.
        for old in before.instances {
            let match = after.instances.first { $0.id == old.id && $0.incarnation == old.incarnation }
            guard let new = match, old.incarnation != nil, old.phase == .draining else { continue }
            // A newer generation may want it again.
            if after.observedGeneration > before.observedGeneration { continue }
            try expect(
                new.phase == .draining || new.phase == .stopped || new.phase == .unknown,
                "who is on the way out does not come back: \(old), then \(new)")
        }
    }
}
