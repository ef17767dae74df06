// SPDX-License-Identifier: MIT

import JSON

/// What client and server agreed on in `initialize`: a client can go on with another server only if it is the same there.
struct NegotiatedTerms: Hashable, Sendable {
    /// The revision.
    let protocolVersion: String
    /// What the server can do, written so that equal capabilities are equal bytes.
    let capabilities: [UInt8]

    /// The terms in the answer to an `initialize`, or `nil` where it is none.
    init?(answer: JSONValue) {
        guard case .object(let message) = answer, case .object(let result)? = message["result"],
            case .string(let version)? = result["protocolVersion"]
        else { return nil }
        protocolVersion = version
        capabilities = Self.ordered(result["capabilities"] ?? .object(JSONObject())).bytes
    }

    /// The same value with the members of all objects ordered by name: their order means nothing (RFC 8259 §4).
    private static func ordered(_ value: JSONValue) -> JSONValue {
        switch value {
        case .object(let object):
            .object(
                JSONObject(
                    object.members.sorted { $0.name < $1.name }.map {
                        JSONObject.Member(name: $0.name, value: ordered($0.value))
                    }))
        case .array(let elements): .array(elements.map(ordered))
        case .null, .bool, .integer, .number, .string: value
        }
    }
}
