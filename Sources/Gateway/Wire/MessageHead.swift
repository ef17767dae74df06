// SPDX-License-Identifier: MIT

/// What the head of a request says about the request, apart from its fields.
///
/// Offsets are from its first byte.
public struct RequestHead: Hashable, Sendable {
    /// The methods that are told apart.
    public enum Method: Hashable, Sendable {
        /// `GET`
        case get
        /// `HEAD`
        case head
        /// `POST`
        case post
        /// `DELETE`
        case delete
        /// `OPTIONS`
        case options
        /// Any other.
        case other
    }

    /// How many bytes the head has, its blank line included.
    public internal(set) var length = 0
    /// The method.
    public internal(set) var method = Method.other
    /// Where the method stands.
    public internal(set) var methodRange = 0..<0
    /// Where the path and the query stand: begins with `/`, or is `*`.
    public internal(set) var target = 0..<0
    /// Where the host and port of an absolute target stand; empty in other targets.
    var targetAuthority = 0..<0
    /// Whether it is HTTP/1.1, not 1.0.
    public internal(set) var isHTTP11 = true
    /// How long the body is.
    public internal(set) var framing = BodyFraming.none
    /// Whether the connection goes on after the answer, as far as the client is concerned.
    public internal(set) var keepsAlive = true
    /// Whether the client waits for `100 Continue` before it sends the body.
    public internal(set) var expectsContinue = false
    /// Whether `Connection` names fields that must not be passed on.
    public internal(set) var namesHopByHopFields = false
}

/// What the head of a response says about the response, apart from its fields.
public struct ResponseHead: Hashable, Sendable {
    /// How many bytes the head has, its blank line included.
    public internal(set) var length = 0
    /// The status, 100...999.
    public internal(set) var status = 0
    /// The byte after the status line's LF.
    public internal(set) var fieldsStart = 0
    /// How long the body is.
    public internal(set) var framing = BodyFraming.none
    /// Whether the connection goes on after the body.
    public internal(set) var keepsAlive = true
    /// Whether `Connection` names fields that must not be passed on.
    public internal(set) var namesHopByHopFields = false
}

/// How large a head may be.
public struct HeadLimits: Hashable, Sendable {
    /// Bytes, the blank line included.
    public var bytes: Int
    /// Field lines.
    public var fields: Int

    /// Limits.
    public init(bytes: Int = 32 << 10, fields: Int = 100) {
        self.bytes = bytes
        self.fields = fields
    }
}
