// SPDX-License-Identifier: MIT

public import JSON
internal import RuntimeContract

extension AdapterSpec {
    /// The fields as they are stored and answered, without the values of secrets.
    ///
    /// ``AdapterDraft`` reads them back.
    public var json: JSONObject {
        var object = JSONObject()
        switch source {
        case .image(let name, let version, let command):
            object.set("imageName", .string(name))
            object.set("imageVersion", .string(version))
            if let command { Self.set(command, in: &object) }
        case .command(let command): Self.set(command, in: &object)
        case .remote(let urls):
            object.set("url", urls.count == 1 ? .string(urls[0].rawValue) : .strings(urls.map(\.rawValue)))
        }
        object.set("environmentVariables", .strings(environmentVariables))
        for (field, secrets) in [
            ("secretEnvironmentVariables", secretEnvironmentVariables), ("secretHeaders", secretHeaders),
        ] where !secrets.isEmpty {
            let members = secrets.keys.sorted().map { JSONObject.Member(name: $0, value: .null) }
            object.set(field, .object(JSONObject(members)))
        }
        object.set("replicaCount", .integer(Int64(replicaCount)))
        object.set("description", .string(description))
        object.set("useWorkloadIdentity", .bool(useWorkloadIdentity))
        object.set("requiredRoles", .strings(requiredRoles))
        if let transport { object.set("transport", .string(transport.rawValue)) }
        if let port { object.set("port", .integer(Int64(port))) }
        if let path { object.set("path", .string(path)) }
        if let ssePath { object.set("ssePath", .string(ssePath)) }
        if !protocolVersions.isEmpty { object.set("protocolVersions", .strings(protocolVersions)) }
        if let limits = resourcesJSON { object.set("resources", .object(limits)) }
        object.set("gracePeriodSeconds", .integer(Int64(gracePeriodSeconds)))
        object.set("session", .object(sessionJSON))
        if !labels.isEmpty { object.set("labels", .strings(labels)) }
        return object
    }

    private var sessionJSON: JSONObject {
        var object: JSONObject = [
            "idleTimeoutSeconds": .integer(Int64(session.idleTimeoutSeconds)),
            "drainTimeoutSeconds": .integer(Int64(session.drainTimeoutSeconds)),
            "affinity": .string(session.affinity.description),
            "recovery": .string(session.recovery.rawValue),
        ]
        if let seconds = session.parkAfterSeconds { object.set("parkAfterSeconds", .integer(Int64(seconds))) }
        return object
    }

    private static func set(_ command: Command, in object: inout JSONObject) {
        object.set("command", .string(command.executable))
        object.set("arguments", .strings(command.arguments))
        if let directory = command.workingDirectory { object.set("workingDirectory", .string(directory)) }
    }

    private var resourcesJSON: JSONObject? {
        var object = JSONObject()
        if let bytes = resources.memoryBytes { object.set("memoryBytes", .integer(bytes)) }
        if let millicores = resources.cpuMillicores { object.set("cpuMillicores", .integer(Int64(millicores))) }
        if let tasks = resources.tasks { object.set("tasks", .integer(Int64(tasks))) }
        if let files = resources.openFiles { object.set("openFiles", .integer(Int64(files))) }
        return object.members.isEmpty ? nil : object
    }
}
