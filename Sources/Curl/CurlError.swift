// SPDX-License-Identifier: MIT

/// Why a request of ours got no answer, or not all of it.
public struct CurlError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The kind of failure.
    public enum Code: String, Hashable, Sendable, CaseIterable {
        /// The request itself can't be sent: its address, or a key or certificate that can't be read.
        case invalidRequest
        /// No connection: name, route, refused, reset, or the other side broke the protocol.
        case unreachable
        /// The other side could not prove who it is, or does not accept who we are.
        case untrusted
        /// A deadline has passed.
        case timedOut
        /// The answer is larger than what the caller wants to hold.
        case tooLarge
        /// As many requests are under way as there may be.
        case overloaded
        /// The caller's task was cancelled, or the body was let go.
        case cancelled
        /// The client was closed.
        case closed
        /// libcurl is not there, or failed in a way that fits nothing else.
        case failed
    }

    /// The kind of failure.
    public var code: Code
    /// What failed; never a header or a body.
    public var message: String

    /// Describes a failure.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// The text form.
    public var description: String { "\(code.rawValue): \(message)" }
}
