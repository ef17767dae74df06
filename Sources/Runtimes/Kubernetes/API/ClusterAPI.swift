// SPDX-License-Identifier: MIT

public import JSON
public import RuntimeContract

extension KubernetesRuntime {
    /// The API server that this driver uses, for more than workloads; ends with the driver.
    public var api: ClusterAPI { ClusterAPI(client: client, namespace: namespace) }
}

/// Calls of the API server, and the objects of a collection as they change.
public struct ClusterAPI: Sendable {
    let client: KubernetesClient
    /// The namespace that the gateway works in.
    public let namespace: String

    /// Calls, and reads the answer; what may be meant for later (429, 5xx) is tried again for some seconds.
    ///
    /// - Parameters:
    ///   - path: encoded, from `/api` on.
    ///   - contentType: what `body` is, such as `application/merge-patch+json`.
    public func call(
        _ method: String, _ path: String, query: [(name: String, value: String)] = [], body: JSONValue? = nil,
        contentType: String = "application/json"
    ) async throws(ClusterFault) -> JSONValue {
        var call = APICall(method, path, query: query, body: body)
        call.contentType = contentType
        do throws(KubernetesError) {
            return try await client.call(call)
        } catch {
            throw ClusterFault(error)
        }
    }

    /// Lists the objects of a collection and watches them until the task is cancelled.
    ///
    /// - Parameter changed: told of the state after all that happens, in order; must not block.
    public func follow(_ path: String, changed: @escaping @Sendable (ClusterObjects) -> Void) async {
        await Watcher<WholeObject>(client: client, path: path, selector: "") { machine in
            changed(
                ClusterObjects(
                    objects: machine.objects.mapValues(\.value), isKnown: machine.hasSynced,
                    isInContact: machine.isInContact, fault: machine.lastError.map(ClusterFault.init)))
        }.run()
    }

    /// The moment that a text of the API server stands for.
    public static func moment(_ text: String) -> Timestamp? { KubernetesTime.parse(text) }

    /// The values of a Secret's `data`; `nil` for one that is no text.
    public static func values(ofSecret object: JSONValue) -> [String: String?] {
        (object["data"]?.texts ?? [:]).mapValues { text in
            Base64.decode(text).flatMap { String(validating: $0, as: UTF8.self) }
        }
    }

    /// The `data` of a Secret with these values.
    public static func data(ofSecret values: [String: String]) -> JSONValue {
        .strings(values.mapValues { Base64.encode(Array($0.utf8)) })
    }
}

/// The objects of a collection as they were last known, by name.
public struct ClusterObjects: Sendable {
    /// The objects.
    public var objects: [String: JSONValue]
    /// Whether they have been listed at all.
    public var isKnown: Bool
    /// Whether the last attempt reached the API server.
    public var isInContact: Bool
    /// Why the last attempt failed, if it did.
    public var fault: ClusterFault?
}

/// Why the API server did not do what it was asked.
public struct ClusterFault: Error, Hashable, CustomStringConvertible {
    /// The kind of failure.
    public enum Code: String, Sendable {
        /// There is no such thing.
        case notFound
        /// Changed by somebody else meanwhile, or there already.
        case conflict
        /// The request itself is not as it must be.
        case invalid
        /// We may not do this, or are not known.
        case forbidden
        /// Not now, or no contact; the same may work later.
        case unavailable
        /// The caller's task was cancelled.
        case cancelled
        /// Anything else.
        case failed
    }

    /// The kind of failure.
    public var code: Code
    /// What the server said, or what was wrong; never a secret.
    public var message: String

    /// Describes a failure.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    init(_ error: KubernetesError) {
        code =
            switch error.code {
            case .notFound: .notFound
            case .conflict: .conflict
            case .invalid: .invalid
            case .credentials, .unauthorized, .forbidden: .forbidden
            case .unavailable, .timedOut: .unavailable
            case .cancelled: .cancelled
            case .foreign, .superseded, .expired, .malformed: .failed
            }
        message = error.message
    }

    /// The text form.
    public var description: String { "\(code.rawValue): \(message)" }
}

/// An object of which everything is kept; two are the same if their version is.
private struct WholeObject: WatchedObject {
    let name: String
    let version: String
    let value: JSONValue

    init?(_ object: JSONValue) {
        guard let name = object["metadata", "name"]?.text,
            let version = object["metadata", "resourceVersion"]?.text
        else { return nil }
        self.name = name
        self.version = version
        value = object
    }

    static func == (left: WholeObject, right: WholeObject) -> Bool {
        left.name == right.name && left.version == right.version
    }

    func hash(into hasher: inout Hasher) {
        hasher.combine(name)
        hasher.combine(version)
    }
}
