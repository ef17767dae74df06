// SPDX-License-Identifier: MIT

/// Why the gateway can't start; the exit code follows sysexits(3).
public struct StartupError: Error, Sendable, CustomStringConvertible {
    /// What kind of thing is wrong.
    public enum Kind: Int32, Sendable {
        /// A service that is needed is not there (EX_UNAVAILABLE).
        case unavailable = 69
        /// A file can't be made or written (EX_CANTCREAT).
        case cannotCreate = 73
        /// Something else holds what is needed (EX_TEMPFAIL).
        case busy = 75
        /// The configuration is wrong (EX_CONFIG).
        case configuration = 78
    }

    /// What kind of thing is wrong.
    public var kind: Kind
    /// What failed, on what, and what to do; one line per fault.
    public var message: String

    /// Describes a failure.
    public init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }

    /// What the process exits with.
    public var exitCode: Int32 { kind.rawValue }
    /// The text form.
    public var description: String { message }
}
