// SPDX-License-Identifier: MIT

/// Why the gateway itself answers a request on an MCP route, and not the server behind it.
///
/// The table of statuses and codes is in one place, here. Nothing but the three codes that the protocol defines comes
/// out of -32020...-32099.
public enum GatewayFault: Error, Hashable, Sendable {
    // MARK: What the client sent

    /// The body is not JSON.
    case notJSON(EnvelopeError)
    /// The body is JSON, but not a message that may be sent here; the text says why.
    case invalidRequest(String)
    /// A modern request lacks required metadata; the text says which.
    case invalidMetadata(String)
    /// A routing header is missing, repeated, malformed, or says something else than the body; the text says which.
    case headerMismatch(String)
    /// No server behind the route speaks the revision.
    case unsupportedVersion(requested: String, supported: [String])
    /// The HTTP method is not for this route.
    case methodNotAllowed(allow: String)
    /// The client accepts neither of the two types that an answer may have.
    case notAcceptable
    /// The body is not `application/json`.
    case unsupportedMediaType
    /// The body is longer than the limit.
    case bodyTooLarge(limitBytes: Int)
    /// The head is longer than the limit.
    case headTooLarge
    /// The request's head or framing is not valid HTTP/1.1.
    case malformedHTTP(String)
    /// The client did not send its request in time.
    case requestTimedOut
    /// The web page that sent the request is not allowed to.
    case forbiddenOrigin
    /// The `Host` is not this gateway's.
    case misdirected
    /// No or no good credentials; with the value of `WWW-Authenticate` (RFC 9110 §15.5.2).
    case unauthorized(challenge: String)
    /// Good credentials that lack a scope; with the value of `WWW-Authenticate` (RFC 6750 §3.1).
    case insufficientScope(challenge: String)
    /// Who sends the request can't be told, since the keys of the token issuer can't be had.
    case identityUnknown(retryAfterSeconds: Int)
    /// Good credentials, but not for this.
    case forbidden
    /// The client sends too much.
    case tooManyRequests(retryAfterSeconds: Int)

    // MARK: Sessions

    /// The session id is unknown, expired, foreign, of another adapter, or its instance is gone: all look the same.
    case sessionNotFound
    /// The request needs a session id and has none.
    case sessionRequired

    // MARK: What is behind the gateway

    /// There is no such adapter.
    case adapterNotFound
    /// The adapter has no path of this kind.
    case routeNotFound
    /// No instance is ready, or none could be reached; nothing was sent.
    case unavailable(retryAfterSeconds: Int)
    /// No instance may be started, since others that are in use take all that they may use together; nothing was sent.
    case overBudget(retryAfterSeconds: Int)
    /// The gateway is stopping.
    case draining(retryAfterSeconds: Int)
    /// The instance closed the connection, or broke HTTP, before it answered.
    case upstreamFailed
    /// The instance did not answer in time.
    case upstreamTimedOut
    /// The instance was lost while it worked on a request that must not be done twice.
    case outcomeUnknown

    /// The status of the answer.
    public var status: Int {
        switch self {
        case .notJSON, .invalidRequest, .invalidMetadata, .headerMismatch, .unsupportedVersion, .malformedHTTP,
            .sessionRequired:
            400
        case .unauthorized: 401
        case .forbiddenOrigin, .forbidden, .insufficientScope: 403
        case .sessionNotFound, .adapterNotFound, .routeNotFound: 404
        case .methodNotAllowed: 405
        case .notAcceptable: 406
        case .requestTimedOut: 408
        case .bodyTooLarge: 413
        case .unsupportedMediaType: 415
        case .misdirected: 421
        case .tooManyRequests: 429
        case .headTooLarge: 431
        case .upstreamFailed, .outcomeUnknown: 502
        case .unavailable, .overBudget, .draining, .identityUnknown: 503
        case .upstreamTimedOut: 504
        }
    }

    /// The code of the JSON-RPC error.
    public var code: Int {
        switch self {
        case .notJSON(let error): error.isSyntax ? -32700 : -32600
        case .headerMismatch: -32020
        case .unsupportedVersion: -32022
        case .invalidMetadata: -32602
        case .sessionNotFound: -32001
        case .unavailable, .overBudget, .draining, .identityUnknown, .upstreamFailed, .upstreamTimedOut,
            .outcomeUnknown:
            -32603
        default: -32600
        }
    }

    /// The message of the JSON-RPC error; holds nothing that the client sent.
    public var message: String {
        switch self {
        case .notJSON(let error): error.explanation
        case .invalidRequest(let text), .invalidMetadata(let text), .headerMismatch(let text),
            .malformedHTTP(let text):
            text
        case .unsupportedVersion: "Unsupported protocol version"
        case .methodNotAllowed(let allow): "Method not allowed; this route takes \(allow)"
        case .notAcceptable: "The client must accept both application/json and text/event-stream"
        case .unsupportedMediaType: "The body must be application/json"
        case .bodyTooLarge(let limit): "The body is longer than \(limit) bytes"
        case .headTooLarge: "The header fields are too long"
        case .requestTimedOut: "The request did not arrive in time"
        case .forbiddenOrigin: "The origin is not allowed"
        case .misdirected: "The host is not served here"
        case .unauthorized: "Authentication is required"
        case .insufficientScope: "The token lacks a scope that is needed"
        case .identityUnknown: "Tokens can't be checked, since the keys of their issuer can't be fetched"
        case .forbidden: "Access is not allowed"
        case .tooManyRequests: "Too many requests"
        case .sessionNotFound: "Session not found"
        case .sessionRequired: "The request needs a session id"
        case .adapterNotFound: "There is no such adapter"
        case .routeNotFound: "The adapter has no such route"
        case .unavailable: "No instance of the server is ready"
        case .overBudget: "The server is not started: others that are in use take all that servers may use together"
        case .draining: "The gateway is stopping"
        case .upstreamFailed: "The server failed before it answered"
        case .outcomeUnknown: "The server was lost while it worked on the request; whether that took effect is unknown"
        case .upstreamTimedOut: "The server did not answer in time"
        }
    }

    /// A stable word for logs, metrics and `data.gateway`.
    public var reason: String {
        switch self {
        case .notJSON: "notJSON"
        case .invalidRequest: "invalidRequest"
        case .invalidMetadata: "invalidMetadata"
        case .headerMismatch: "headerMismatch"
        case .unsupportedVersion: "unsupportedVersion"
        case .methodNotAllowed: "methodNotAllowed"
        case .notAcceptable: "notAcceptable"
        case .unsupportedMediaType: "unsupportedMediaType"
        case .bodyTooLarge: "bodyTooLarge"
        case .headTooLarge: "headTooLarge"
        case .malformedHTTP: "malformedHTTP"
        case .requestTimedOut: "requestTimedOut"
        case .forbiddenOrigin: "forbiddenOrigin"
        case .misdirected: "misdirected"
        case .unauthorized: "unauthorized"
        case .insufficientScope: "insufficientScope"
        case .identityUnknown: "identityUnknown"
        case .forbidden: "forbidden"
        case .tooManyRequests: "tooManyRequests"
        case .sessionNotFound: "sessionNotFound"
        case .sessionRequired: "sessionRequired"
        case .adapterNotFound: "adapterNotFound"
        case .routeNotFound: "routeNotFound"
        case .unavailable: "unavailable"
        case .overBudget: "overBudget"
        case .draining: "draining"
        case .upstreamFailed: "upstreamFailed"
        case .upstreamTimedOut: "upstreamTimedOut"
        case .outcomeUnknown: "outcomeUnknown"
        }
    }

    /// The value of `Retry-After`, where the answer has one.
    public var retryAfterSeconds: Int? {
        switch self {
        case .tooManyRequests(let seconds), .unavailable(let seconds), .overBudget(let seconds), .draining(let seconds),
            .identityUnknown(let seconds):
            seconds
        default: nil
        }
    }

    /// The value of `Allow`, where the answer has one (RFC 9110 §15.5.6).
    public var allow: String? {
        if case .methodNotAllowed(let allow) = self { allow } else { nil }
    }

    /// The value of `WWW-Authenticate`, where the answer has one.
    public var challenge: String? {
        switch self {
        case .unauthorized(let challenge), .insufficientScope(let challenge): challenge
        default: nil
        }
    }

    /// The `data` of the JSON-RPC error as JSON text: what the protocol asks for, or the word of the fault where the
    /// code alone could be taken for the server's.
    public var data: [UInt8]? {
        switch self {
        case .unsupportedVersion(let requested, let supported):
            var text = Array("{\"supported\":[".utf8)
            text += supported.map { JSONRPCErrorBody.string($0.utf8) }.joined(separator: [UInt8(ascii: ",")])
            text += "],\"requested\":".utf8
            text += JSONRPCErrorBody.string(requested.utf8)
            text.append(UInt8(ascii: "}"))
            return text
        case .unavailable, .overBudget, .draining, .identityUnknown, .upstreamFailed, .upstreamTimedOut,
            .outcomeUnknown, .adapterNotFound, .routeNotFound:
            return Array("{\"gateway\":\"\(reason)\"}".utf8)
        default:
            return nil
        }
    }

    /// The body of the answer, `application/json`: a JSON-RPC error with `id`.
    public func body(id: JSONRPCID = .null) -> [UInt8] {
        JSONRPCErrorBody.encode(code: code, message: message, data: data, id: id)
    }

    /// The body of the answer to the message in `envelope`.
    ///
    /// A response that the client posts is answered without its id, which is one that the server has given.
    public func body(answering envelope: Envelope) -> [UInt8] {
        body(id: envelope.shape == .response ? .null : envelope.id)
    }
}
