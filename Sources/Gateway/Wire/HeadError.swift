// SPDX-License-Identifier: MIT

/// Why a head, or the framing of a body, is refused (RFC 9112).
///
/// What is refused is never passed on.
public enum HeadError: Error, Hashable, Sendable {
    /// The head is longer than allowed, or has more fields.
    case tooLarge
    /// A line that does not end with CR LF, or a CR or NUL where none may be.
    case badLine
    /// The request line or status line is malformed.
    case badStartLine
    /// The request target has a form that is not served.
    case badTarget
    /// A protocol version other than HTTP/1.0 and HTTP/1.1.
    case badVersion
    /// A field line is malformed: a name that is no token, white space before the colon, a folded line.
    case badField
    /// `Host` is missing from an HTTP/1.1 request, there twice, or malformed.
    case badHost
    /// `Content-Length` is no number, or there with different values, or beside `Transfer-Encoding`.
    case badLength
    /// A transfer coding other than a single `chunked`.
    case badTransferCoding
    /// A chunk's size, end or trailer is malformed.
    case badChunk

    /// The status that answers such a request.
    public var status: Int {
        switch self {
        case .tooLarge: 431
        case .badVersion: 505
        case .badTransferCoding: 501
        case .badLine, .badStartLine, .badTarget, .badField, .badHost, .badLength, .badChunk: 400
        }
    }

    /// What is wrong, in words for the one who sent it.
    public var explanation: String {
        switch self {
        case .tooLarge: "the head of the request is too large"
        case .badLine: "a line of the head does not end with CR LF, or contains a control character"
        case .badStartLine: "the first line of the request is malformed"
        case .badTarget: "the request target must be a path or an absolute http URI"
        case .badVersion: "only HTTP/1.0 and HTTP/1.1 are spoken here"
        case .badField: "a header field is malformed"
        case .badHost: "exactly one well-formed Host header is needed"
        case .badLength: "the length of the body is ambiguous or malformed"
        case .badTransferCoding: "the only transfer coding understood is chunked"
        case .badChunk: "the chunked body is malformed"
        }
    }
}
