// SPDX-License-Identifier: MIT

/// Why a body is no message that the gateway can route.
public enum EnvelopeError: Error, Hashable, Sendable {
    /// The bytes are not JSON (RFC 8259, UTF-8 without a byte order mark); `offset` is that of the first wrong byte.
    case malformed(offset: Int)
    /// The bytes end before the value does, or there are none.
    case truncated
    /// Containers are nested deeper than ``EnvelopeScanner/maximumDepth``.
    case tooDeep(offset: Int)
    /// A member that decides about routing occurs twice in one object, perhaps in another case: parsers disagree
    /// about which one counts, so neither may be believed.
    case duplicateKey(offset: Int)
    /// The JSON-RPC id is longer than ``EnvelopeScanner/maximumIDLength``.
    case identifierTooLong(offset: Int)
    /// A batch has more than ``EnvelopeScanner/maximumBatchCount`` elements.
    case batchTooLong(offset: Int)

    /// Whether the bytes are not JSON at all (`-32700`), rather than JSON that is not acceptable (`-32600`).
    public var isSyntax: Bool {
        switch self {
        case .malformed, .truncated, .tooDeep: true
        case .duplicateKey, .identifierTooLong, .batchTooLong: false
        }
    }

    /// What is wrong, in words for the client; holds nothing of the body.
    public var explanation: String {
        switch self {
        case .malformed(let offset): "the body is not JSON: unexpected byte at offset \(offset)"
        case .truncated: "the body is not JSON: it ends too early"
        case .tooDeep: "the body is nested deeper than \(EnvelopeScanner.maximumDepth) levels"
        case .duplicateKey(let offset): "a member of the message occurs twice, at offset \(offset)"
        case .identifierTooLong: "the id is longer than \(EnvelopeScanner.maximumIDLength) bytes"
        case .batchTooLong: "the batch has more than \(EnvelopeScanner.maximumBatchCount) messages"
        }
    }
}
