// SPDX-License-Identifier: MIT

/// Why a child could not be started, or a bridge could not.
public struct BridgeError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What kind of failure it is.
    public enum Code: Hashable, Sendable {
        /// The command can't be executed.
        case commandNotFound
        /// The command can't be started now.
        case startFailed
        /// The socket or port can't be bound.
        case bindFailed
        /// The program can't be copied.
        case installFailed
    }

    /// What kind of failure it is.
    public let code: Code
    /// What failed, on what, and what to do.
    public let message: String

    /// A failure.
    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// The message.
    public var description: String { message }
}
