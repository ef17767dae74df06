// SPDX-License-Identifier: MIT

/// Where a process comes from: a name in its environment, which every descendant inherits wherever it moves.
///
/// A path of parts: the one who starts, the one that was started, what that one started itself. A process that clears its
/// environment loses it.
public struct Origin: Hashable, Sendable, CustomStringConvertible {
    /// The variable that carries it.
    public static let variable = "MCP_GATEWAY_ORIGIN"

    private let path: String

    /// The root of all that one starter starts; `name` is unique in the world and has no slash in it.
    public init(_ name: String) {
        path = name
    }

    /// The origin that this process itself was given, or a new one.
    public static let own = Origin(
        ProcessTable.variable(variable, of: 0) ?? String(UInt64.random(in: 0 ... .max), radix: 36))

    /// What comes from here, told apart from the rest by `part`.
    public func appending(_ part: String) -> Origin { Origin("\(path)/\(part)") }

    /// Whether `other` is this origin or comes from it.
    public func includes(_ other: Origin) -> Bool {
        other.path == path || (other.path.hasPrefix(path) && other.path.utf8.dropFirst(path.utf8.count).first == 0x2F)
    }

    /// The text in the environment.
    public var description: String { path }
}
