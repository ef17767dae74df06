// SPDX-License-Identifier: MIT

/// What keeps requests of 2026-07-28, which have no sessions, together on one instance.
public enum SessionAffinity: Hashable, Sendable {
    /// Nothing: each goes where the least is to do.
    case none
    /// Who sends them.
    case principal
    /// The value of this header field, whose name is in lower case; requests without it are not kept together.
    case header(String)
    /// The task that a `tasks/*` request is about; others are not kept together.
    case tasks

    /// Reads `none`, `principal`, `tasks`, `header:NAME`, or `param:NAME` for the field `Mcp-Param-NAME`.
    public init?(_ text: String) {
        switch text {
        case "none": self = .none
        case "principal": self = .principal
        case "tasks": self = .tasks
        default:
            guard let colon = text.firstIndex(of: ":") else { return nil }
            let name = text[text.index(after: colon)...].lowercased()
            guard (1...64).contains(name.utf8.count), name.utf8.allSatisfy(Self.isTokenByte) else { return nil }
            switch text[..<colon] {
            case "header": self = .header(name)
            case "param": self = .header("mcp-param-" + name)
            default: return nil
            }
        }
    }

    /// The text that ``init(_:)`` reads.
    public var description: String {
        switch self {
        case .none: "none"
        case .principal: "principal"
        case .tasks: "tasks"
        case .header(let name): name.hasPrefix("mcp-param-") ? "param:\(name.dropFirst(10))" : "header:\(name)"
        }
    }

    /// RFC 9110 §5.6.2, lower case.
    private static func isTokenByte(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte) || "!#$%&'*+-.^_`|~".utf8.contains(byte)
    }
}
