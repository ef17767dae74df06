// SPDX-License-Identifier: MIT

internal import Logging
internal import Metrics
internal import Model
internal import Observability
internal import RuntimeContract

extension ParkingWatch {
    /// What is kept between two looks.
    struct Budgeting {
        /// Who is waited for and has no room, until when it is tried again without being asked for.
        var waiting: [WorkloadID: Duration] = [:]
        /// Whether it was told that nothing can be done about what is used.
        var isTold = false
    }

    /// How long an adapter was not used before it has to make room: for one that a request waits for, or for what is used
    /// already and should not be; and for one that only was deployed.
    private static let restBeforeParking = (forRequests: Duration.seconds(1), forDeployments: Duration.seconds(60))
    /// For how long a wish is tried again without being asked for again.
    private static let patience = Duration.seconds(30)

    /// Starts who is wanted where there is room, makes room, and has parked what is too much.
    ///
    /// - Returns: when to look again.
    func keepBudget(
        _ wanted: Set<WorkloadID>, _ unused: [Candidate], _ traffic: any InstanceTraffic, _ state: inout Budgeting
    ) async -> Duration {
        await measure()
        let now = elapsed()
        for workload in wanted { state.waiting[workload] = now + Self.patience }
        var unused = unused.sorted { $0.idleFor > $1.idleFor }
        for workload in state.waiting.keys.sorted() {
            let isOver = (state.waiting[workload] ?? now) <= now || !projection.wants(workload)
            if !isOver {
                let room = await makeRoom(for: workload, Self.restBeforeParking.forRequests, &unused, traffic)
                if room == .none {
                    if projection.set(isOverBudget: true, workload) {
                        Counter(label: MetricName.budgetWaits.rawValue).increment()
                        logger.warning(
                            "a request waits for room in the budget: what runs is in use",
                            metadata: [LogKey.workload: "\(workload)"])
                    }
                    continue
                }
                if room == .made { await begin(workload) }
            }
            state.waiting[workload] = nil
            _ = projection.set(isOverBudget: false, workload)
        }
        for workload in gate.held.keys.sorted() where state.waiting[workload] == nil {
            let room = await makeRoom(for: workload, Self.restBeforeParking.forDeployments, &unused, traffic)
            if room == .made { await begin(workload) }
        }
        await parkExcess(unused, traffic, &state)
        // Who was used last is told apart as finely as this.
        return state.waiting.isEmpty ? .seconds(1) : .milliseconds(250)
    }

    private enum Room { case notNeeded, made, none }

    /// Promises a workload what it needs to start, after others were parked for it.
    private func makeRoom(
        for workload: WorkloadID, _ rest: Duration, _ unused: inout [Candidate], _ traffic: any InstanceTraffic
    ) async -> Room {
        var instances = gate.held[workload] ?? 0
        if instances == 0 {
            let status = try? await driver.status(of: workload)
            instances = status?.instances.count { $0.phase == .parked } ?? 0
        }
        guard instances > 0 else { return .notNeeded }
        let idle = unused.filter { $0.idleFor >= rest }.map(\.workload)
        let admission = gate.decide { $0.admit(workload, instances: instances, idle: idle) }
        guard case .admitted(let parking) = admission else { return .none }
        for candidate in unused where parking.contains(candidate.workload) {
            unused.removeAll { $0.workload == candidate.workload }
            guard await park(candidate, traffic, .budget) else {
                // Somebody came back to it. The next look knows more.
                gate.decide { $0.withdraw(workload) }
                return .none
            }
        }
        return .made
    }

    private func begin(_ workload: WorkloadID) async {
        if gate.holds(workload) { start(workload) } else { await wake(workload) }
    }

    private func parkExcess(_ unused: [Candidate], _ traffic: any InstanceTraffic, _ state: inout Budgeting) async {
        let idle = unused.filter { $0.idleFor >= Self.restBeforeParking.forRequests }
        let parking = gate.decide { $0.excess(idle: idle.map(\.workload)) }
        for candidate in idle where parking.contains(candidate.workload) {
            _ = await park(candidate, traffic, .budget)
        }
        let (isExceeded, total) = gate.decide { ($0.isExceeded, $0.total) }
        if isExceeded, !state.isTold {
            logger.warning(
                "servers use more than the budget allows, and all of them are in use",
                metadata: ["residentBytes": "\(total.bytes)", "processes": "\(total.processes)"])
        }
        state.isTold = isExceeded
    }

    /// Asks the driver what everything uses.
    private func measure() async {
        var shares: [WorkloadID: [BudgetLedger.Share]] = [:]
        var starting: Set<WorkloadID> = []
        for route in projection.routes {
            let workload = route.name.workload
            guard let status = try? await driver.status(of: workload) else {
                // About to be started, unless that has failed.
                if projection.failure(of: workload) == nil { starting.insert(workload) }
                continue
            }
            shares[workload] = status.instances.compactMap { instance in
                instance.usage.map { .init(bytes: $0.residentBytes, processes: $0.processes) }
            }
            if status.instances.contains(where: { $0.phase == .pending || $0.phase == .starting }) {
                starting.insert(workload)
            }
        }
        gate.decide { ledger in
            ledger.measured(shares, starting: starting)
            ledger.forget { !projection.wants($0) }
        }
        for workload in gate.held.keys where !projection.wants(workload) { gate.open(workload) }
    }
}
