// SPDX-License-Identifier: MIT

/// Why a certificate and its key can't be used.
public struct CertificateError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The file at fault.
    public var file: String
    /// What is wrong with it, and what would be right; never what it holds.
    public var message: String

    /// The text form.
    public var description: String { "\(file): \(message)" }
}
