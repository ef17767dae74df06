// SPDX-License-Identifier: MIT

/// Why the store could not do what it was asked; what was stored before is as it was.
public struct StoreError: Error, Sendable, CustomStringConvertible {
    /// The kind of failure.
    public enum Code: String, Sendable, CaseIterable {
        /// A newer version of the gateway wrote the database.
        case schemaTooNew
        /// Another gateway uses the database.
        case locked
        /// The file is damaged, or is not a database of the gateway.
        case corrupt
        /// No room is left on the disk, or within the limit that was set.
        case diskFull
        /// Another program holds the database; the same call may succeed later.
        case busy
        /// A rule of the schema would be broken: a mistake of the gateway.
        case constraint
        /// Reading or writing failed.
        case io
    }

    /// The kind of failure.
    public var code: Code
    /// What failed, on what, and what to do: lower case, no full stop, never a secret.
    public var message: String

    /// Describes a failure.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// The text form.
    public var description: String { "\(code.rawValue): \(message)" }
}
