// SPDX-License-Identifier: MIT

import Glibc

/// What the manager or the bus answered, or why neither did.
public struct SystemdError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What kind of failure it is.
    public enum Code: Hashable, Sendable {
        /// No manager can be reached now.
        case unavailable
        /// There is no such unit.
        case noSuchUnit
        /// A unit of that name exists already.
        case unitExists
        /// The manager refused.
        case refused
    }

    /// What kind of failure it is.
    public var code: Code
    /// What failed, in words for people.
    public var message: String

    /// Describes a failure.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// The text form.
    public var description: String { message }

    /// A call of libsystemd that returned a negated errno.
    init(_ result: Int32, _ what: String) {
        self.init(Self.isLoss(result) ? .unavailable : .refused, "\(what): \(String(cString: strerror(-result)))")
    }

    /// Whether an error means that the connection is of no use any more.
    static func isLoss(_ result: Int32) -> Bool {
        [-ECONNRESET, -ENOTCONN, -EPIPE, -ESHUTDOWN, -ECONNREFUSED, -ENOENT, -ETIMEDOUT, -ENOTSOCK].contains(result)
    }
}
