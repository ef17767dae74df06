// SPDX-License-Identifier: MIT

/// Changes exactly when an instance loses its memory.
///
/// Kubernetes: pod UID and container restart count; systemd: InvocationID; a child process: boot id, pid and start
/// time. Opaque and compared byte by byte; 1...128 characters of visible ASCII, so that it can be sealed into a
/// session id.
public struct Incarnation: Hashable, Sendable, CustomStringConvertible {
    /// The opaque text.
    public let rawValue: String

    /// Wraps the driver's text.
    public init(_ rawValue: String) {
        precondition(
            (1...128).contains(rawValue.utf8.count) && rawValue.utf8.allSatisfy { (0x21...0x7E).contains($0) },
            "an incarnation is 1...128 characters of visible ASCII")
        self.rawValue = rawValue
    }

    /// The text form.
    public var description: String { rawValue }
}
