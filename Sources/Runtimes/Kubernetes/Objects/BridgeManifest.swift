// SPDX-License-Identifier: MIT

internal import JSON

/// The parts of a pod that give a server on standard input and output an HTTP endpoint.
///
/// An init container from the gateway's own image copies its program into a volume, with the libraries and the loader that
/// it needs, so that it runs in any image, whatever that holds. There it is the first process and starts the server.
struct BridgeManifest: Sendable {
    private static let volume = "mcp-gateway-bridge"
    private static let folder = "/.mcp-gateway"

    let image: String

    var volumes: [JSONValue] { [["name": .string(Self.volume), "emptyDir": [:]]] }

    func mounts(readOnly: Bool) -> [JSONValue] {
        [["name": .string(Self.volume), "mountPath": .string(Self.folder), "readOnly": .bool(readOnly)]]
    }

    func initContainer(security: JSONValue, resources: JSONValue) -> JSONValue {
        [
            "name": "bridge",
            "image": .string(image),
            "imagePullPolicy": image.hasSuffix(":latest") ? "Always" : "IfNotPresent",
            "args": ["bridge", "--install", .string(Self.folder)],
            "securityContext": security,
            "resources": resources,
            "volumeMounts": .array(mounts(readOnly: false)),
        ]
    }

    /// What comes before the server's own command.
    func command(port: UInt16) -> [String] {
        [
            "\(Self.folder)/loader", "--library-path", Self.folder, "\(Self.folder)/mcp-gateway", "bridge",
            "--host", "0.0.0.0", "--port", String(port), "--",
        ]
    }
}
