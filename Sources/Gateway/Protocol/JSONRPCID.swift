// SPDX-License-Identifier: MIT

/// The id of a JSON-RPC message exactly as it was written, so that it can be echoed with its type and its digits.
///
/// `1`, `1.0` and `"1"` are three different ids: the gateway never interprets one.
public enum JSONRPCID: Hashable, Sendable {
    /// There is no `id` member.
    case absent
    /// `null`.
    case null
    /// A string; the bytes are those of the message, quotation marks and escapes included.
    case string(ArraySlice<UInt8>)
    /// A number; the bytes are those of the message.
    case number(ArraySlice<UInt8>)

    /// The JSON text of the id; `null` where there is none (JSON-RPC 2.0 §5).
    public var json: ArraySlice<UInt8> {
        switch self {
        case .absent, .null: Self.nullText
        case .string(let text), .number(let text): text
        }
    }

    /// Whether this is a string or a number: the only ids that an MCP request may have.
    public var identifiesRequest: Bool {
        switch self {
        case .absent, .null: false
        case .string, .number: true
        }
    }

    private static let nullText = ArraySlice("null".utf8)

    /// Whether both are written alike and of one type.
    public static func == (left: JSONRPCID, right: JSONRPCID) -> Bool {
        switch (left, right) {
        case (.absent, .absent), (.null, .null): true
        case (.string(let left), .string(let right)), (.number(let left), .number(let right)):
            left.elementsEqual(right)
        default: false
        }
    }
}
