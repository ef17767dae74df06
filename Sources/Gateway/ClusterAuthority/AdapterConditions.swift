// SPDX-License-Identifier: MIT

internal import ControlPlane
internal import JSON
internal import Model
internal import RuntimeContract

/// The status of the custom resource.
///
/// Pure: all gateways come to the same.
enum AdapterConditions {
    /// What the status should be.
    ///
    /// - Parameters:
    ///   - fault: why the gateway does not take the resource up, if it does not.
    ///   - now: for conditions that change.
    static func status(
        of object: AdapterObject, _ progress: AdapterProgress, fault: String?, now: Timestamp
    ) -> JSONObject {
        let wanted = object.replicas
        let instances = progress.status?.instances ?? []
        let ready = instances.count { $0.phase == .ready }
        let current = instances.count { $0.generation >= object.generation && $0.phase == .ready }
        let updated = instances.count { $0.generation >= object.generation && $0.phase.isRunning }
        let observed = progress.status?.observedGeneration ?? 0
        let isCurrent = observed >= object.generation
        let isReady = isCurrent && current >= wanted && ready == current
        let words = "\(ready) of \(wanted) ready"
        var status: JSONObject = [
            "observedGeneration": .integer(min(observed, object.generation)),
            "image": .string(progress.status?.image ?? image(of: object)),
            "replicas": .integer(Int64(instances.count { $0.phase.isRunning })),
            "readyReplicas": .integer(Int64(ready)),
            "updatedReplicas": .integer(Int64(updated)),
            "availableReplicas": .integer(Int64(progress.status?.availableReplicas ?? 0)),
            "ready": .string("\(ready)/\(wanted)"),
        ]
        let trouble = trouble(progress, fault)
        let conditions: [Condition] = [
            isReady && fault == nil
                ? Condition("Ready", true, "Healthy", words) : Condition("Ready", false, "NotReady", words),
            isReady || fault != nil
                ? Condition("Progressing", false, fault == nil ? "Complete" : "Refused", words)
                : Condition("Progressing", true, isCurrent ? "Starting" : "Applying", words),
            trouble.map { Condition("Degraded", true, $0.reason, $0.message) }
                ?? Condition("Degraded", false, "AsWanted", "nothing is wrong"),
        ]
        let before = object.value["status", "conditions"]?.items ?? []
        status.set(
            "conditions",
            .array(
                conditions.map { condition in
                    let old = before.first { $0["type"]?.text == condition.type }
                    let isSame = old?["status"]?.text == condition.state
                    let since = isSame ? old?["lastTransitionTime"]?.text : nil
                    return [
                        "type": .string(condition.type), "status": .string(condition.state),
                        "observedGeneration": .integer(object.generation),
                        "lastTransitionTime": .string(since ?? now.iso8601),
                        "reason": .string(condition.reason), "message": .string(condition.message),
                    ]
                }))
        return status
    }

    /// Whether the resource shows `status` already.
    static func shows(_ object: AdapterObject, _ status: JSONObject) -> Bool {
        status.members.allSatisfy { member in
            guard let shown = object.value["status", member.name] else { return false }
            guard member.name == "conditions" else { return shown == member.value }
            // The order of the members is the server's.
            return shown.items.count == member.value.items.count
                && zip(shown.items, member.value.items).allSatisfy { old, new in
                    old.texts == new.texts && old["observedGeneration"] == new["observedGeneration"]
                }
        }
    }

    private struct Condition {
        let type: String
        let state: String
        let reason: String
        let message: String

        init(_ type: String, _ holds: Bool, _ reason: String, _ message: String) {
            self.type = type
            state = holds ? "True" : "False"
            self.reason = reason
            self.message = String(message.prefix(4096))
        }
    }

    /// What is worth to be told first.
    private static func trouble(_ progress: AdapterProgress, _ fault: String?) -> (reason: String, message: String)? {
        if let fault { return ("InvalidSpec", fault) }
        if let failure = progress.failure { return ("ApplyFailed", failure) }
        if let reason = progress.status?.failure { return (word(reason), reason.message) }
        let harmless: Set<PhaseReason.Code> = [.stopping, .draining, .parked]
        for instance in progress.status?.instances ?? [] {
            guard let reason = instance.reason, !harmless.contains(reason.code) else { continue }
            return (word(reason), "\(instance.id): \(reason.message)")
        }
        return nil
    }

    /// Reasons of conditions begin with a capital letter.
    private static func word(_ reason: PhaseReason) -> String {
        let text = reason.code.rawValue
        return text.prefix(1).uppercased() + text.dropFirst()
    }

    private static func image(of object: AdapterObject) -> String {
        guard let name = object.value["spec", "imageName"]?.text else {
            return object.value["spec", "command"]?.text ?? object.value["spec", "url"]?.text ?? ""
        }
        return "\(name):\(object.value["spec", "imageVersion"]?.text ?? "")"
    }
}
