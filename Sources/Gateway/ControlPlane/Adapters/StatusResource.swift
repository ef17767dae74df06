// SPDX-License-Identifier: MIT

internal import HTTP
internal import JSON
internal import Model
internal import RuntimeContract

/// `GET /adapters/{name}/status`: what is wanted beside what there is.
struct StatusResource: Sendable {
    let driver: any RuntimeDriver
    let projection: Projection

    /// What the runtime knows of `adapter` now; when it can't be reached, what it knew last.
    func show(_ adapter: Adapter) async -> HTTPResponse {
        let workload = adapter.name.workload
        var status: WorkloadStatus?
        do throws(RuntimeError) {
            status = try await driver.status(of: workload)
        } catch  where error.code == .notFound {
            status = nil
        } catch {
            status = projection.snapshot.workloads[workload]
        }
        var object = Self.json(adapter, status, failure: projection.failure(of: workload))
        let unenforced = adapter.spec.resources.limits.subtracting(driver.capabilities.enforceableLimits)
        if !unenforced.isEmpty {
            object.set("unenforcedLimits", .array(unenforced.map(\.rawValue).sorted().map { .string($0) }))
        }
        return .json(200, object)
    }

    /// The representation in the API.
    static func json(_ adapter: Adapter, _ status: WorkloadStatus?, failure: ReconcileFailure?) -> JSONObject {
        let instances = status?.instances ?? []
        let wanted = adapter.spec.replicaCount
        let isCurrent = { (instance: InstanceStatus) in instance.generation >= adapter.generation }
        let ready = instances.count { $0.phase == .ready }
        // What is parked is as it should be: it answers when somebody asks.
        let parked = instances.count { $0.phase == .parked }
        let current = instances.count { isCurrent($0) && ($0.phase == .ready || $0.phase == .parked) }
        let isHealthy =
            wanted == 0
            ? instances.allSatisfy { !$0.phase.isRunning }
            : current >= wanted && ready + parked == current && (status?.observedGeneration ?? 0) >= adapter.generation
        var object: JSONObject = [
            "name": .string(adapter.name.rawValue),
            "generation": .integer(adapter.generation),
            "observedGeneration": .integer(status?.observedGeneration ?? 0),
            "replicaCount": .integer(Int64(wanted)),
            "readyReplicas": .integer(Int64(ready)),
            "updatedReplicas": .integer(Int64(instances.count { isCurrent($0) && $0.phase.isRunning })),
            "availableReplicas": .integer(Int64(status?.availableReplicas ?? 0)),
            "image": .string(status?.image ?? image(of: adapter)),
            "replicaStatus": .string(isHealthy ? "Healthy" : "Degraded: \(ready)/\(wanted) ready"),
        ]
        if let reason = status?.failure { object.set("reason", json(reason)) }
        if let failure {
            object.set(
                "lastError",
                .object([
                    "code": .string(failure.code), "message": .string(failure.message),
                    "attempts": .integer(Int64(failure.attempts)),
                ]))
        }
        object.set("instances", .array(instances.map(json)))
        return object
    }

    private static func json(_ instance: InstanceStatus) -> JSONValue {
        var object: JSONObject = [
            "name": .string(instance.id.description),
            "ordinal": .integer(Int64(instance.id.ordinal)),
            "phase": .string(instance.phase.rawValue),
            "generation": .integer(instance.generation),
            "restarts": .integer(Int64(instance.restarts)),
        ]
        if let reason = instance.reason { object.set("reason", json(reason)) }
        if let endpoint = instance.endpoint { object.set("endpoint", .string(endpoint.description)) }
        if let usage = instance.usage {
            object.set(
                "usage",
                .object([
                    "residentBytes": .integer(usage.residentBytes),
                    "cpuSeconds": .number((usage.cpuTime / .milliseconds(1)).rounded() / 1000),
                    "processes": .integer(Int64(usage.processes)),
                ]))
        }
        return .object(object)
    }

    private static func json(_ reason: PhaseReason) -> JSONValue {
        .object(["code": .string(reason.code.rawValue), "message": .string(reason.message)])
    }

    private static func image(of adapter: Adapter) -> String {
        switch adapter.spec.source {
        case .image(let name, let version, _): "\(name):\(version)"
        case .command(let command): command.executable
        case .remote(let urls): urls.first?.rawValue ?? ""
        }
    }
}

extension ResourceLimits {
    /// Which limits are set.
    fileprivate var limits: Set<RuntimeCapabilities.Limit> {
        var limits: Set<RuntimeCapabilities.Limit> = []
        if memoryBytes != nil { limits.insert(.memory) }
        if cpuMillicores != nil { limits.insert(.cpu) }
        if tasks != nil { limits.insert(.tasks) }
        if openFiles != nil { limits.insert(.openFiles) }
        return limits
    }
}
