// SPDX-License-Identifier: MIT

internal import HTTP
internal import JSON
internal import Model
internal import NIOCore

/// Why a request failed: what becomes an `application/problem+json` body (RFC 9457).
struct Problem: Error, Sendable {
    /// The stable word for programs; each has one status.
    enum Code: String, Sendable, CaseIterable {
        case malformedBody
        case invalidParameter
        case invalidHeader
        case unauthenticated
        case forbidden
        case routeNotFound
        case adapterNotFound
        case instanceNotFound
        case methodNotAllowed
        case adapterExists
        case adapterBeingDeleted
        case conflict
        case preconditionFailed
        case bodyTooLarge
        case unsupportedMediaType
        case invalidAdapter
        case internalError
        case runtimeFailed
        case notReady
        case unavailable
        case runtimeTimedOut
        case storageFull

        /// The status of the answer and its phrase (RFC 9110 §15), which is the title while the type is `about:blank`.
        var status: (code: Int, phrase: String) {
            switch self {
            case .malformedBody, .invalidParameter, .invalidHeader: (400, "Bad Request")
            case .unauthenticated: (401, "Unauthorized")
            case .forbidden: (403, "Forbidden")
            case .routeNotFound, .adapterNotFound, .instanceNotFound: (404, "Not Found")
            case .methodNotAllowed: (405, "Method Not Allowed")
            case .adapterExists, .adapterBeingDeleted, .conflict: (409, "Conflict")
            case .preconditionFailed: (412, "Precondition Failed")
            case .bodyTooLarge: (413, "Content Too Large")
            case .unsupportedMediaType: (415, "Unsupported Media Type")
            case .invalidAdapter: (422, "Unprocessable Content")
            case .internalError: (500, "Internal Server Error")
            case .runtimeFailed: (502, "Bad Gateway")
            case .notReady, .unavailable: (503, "Service Unavailable")
            case .runtimeTimedOut: (504, "Gateway Timeout")
            case .storageFull: (507, "Insufficient Storage")
            }
        }
    }

    /// The word for programs.
    var code: Code
    /// What is wrong and what to do, for people.
    var detail: String
    /// The fields, parameters or headers at fault.
    var faults: [FieldFault] = []
    /// Fields that the answer has besides the usual ones: `Allow`, `Retry-After`.
    var headers = HTTPHeaders()

    init(_ code: Code, _ detail: String, faults: [FieldFault] = []) {
        self.code = code
        self.detail = detail
        self.faults = faults
        if code.status.code == 503 { headers.set("Retry-After", "1") }
        if code == .unauthenticated { headers.set("WWW-Authenticate", "Bearer") }
    }

    /// The answer.
    var response: HTTPResponse {
        var object: JSONObject = [
            "type": "about:blank",
            "title": .string(code.status.phrase),
            "status": .integer(Int64(code.status.code)),
            "code": .string(code.rawValue),
            "detail": .string(detail),
        ]
        if !faults.isEmpty {
            object.set(
                "errors",
                .array(
                    faults.map { fault in
                        .object([
                            "field": .string(fault.field), "code": .string(fault.code.rawValue),
                            "message": .string(fault.message),
                        ])
                    }))
        }
        return .json(
            code.status.code, object, headers: headers, mediaType: "application/problem+json")
    }
}
