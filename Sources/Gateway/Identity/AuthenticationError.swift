// SPDX-License-Identifier: MIT

/// Why a request is not let in.
public enum AuthenticationError: Error, Hashable, Sendable {
    /// There are no credentials, and they are needed: 401.
    case missing
    /// The credentials are not good; the text says why, and holds nothing of them: 401.
    case invalid(StaticText)
    /// The credentials are good, but for less than is needed: 403.
    case insufficientScope
    /// It can't be told yet: what decides is being fetched. Ask again after ``Authenticator/whenDecided(_:)``.
    case undecided
    /// It can't be told: what decides could not be fetched. 503.
    case unavailable

    /// A text that is part of the program, so that nothing of a request is ever in it.
    public struct StaticText: Hashable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
        /// The text.
        public let description: String

        /// A text of the program.
        public init(stringLiteral value: StaticString) { description = value.description }
    }
}
