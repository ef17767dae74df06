// SPDX-License-Identifier: MIT

/// The type of a JSON value (RFC 8259 §3).
public enum JSONKind: UInt8, Hashable, Sendable {
    /// `{…}`.
    case object
    /// `[…]`.
    case array
    /// `"…"`.
    case string
    /// A number.
    case number
    /// `true` or `false`.
    case boolean
    /// `null`.
    case null
}
