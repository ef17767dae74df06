// SPDX-License-Identifier: MIT

/// One header field that routing reads.
///
/// The bytes are borrowed: a value must not outlive the head it is from.
public enum RoutingHeader {
    /// The head has no such field.
    case absent
    /// The head has one; optional white space around the bytes is ignored.
    case value(UnsafeRawBufferPointer)
    /// The head has several, which no two parsers need to read alike.
    case repeated

    /// The bytes without the white space around them (RFC 9110 §5.5), or `nil` unless there is exactly one field.
    var trimmed: UnsafeRawBufferPointer? {
        guard case .value(let bytes) = self else { return nil }
        var range = bytes.startIndex..<bytes.endIndex
        while let first = range.first, bytes[first].isHeaderSpace { range = first + 1..<range.upperBound }
        while let last = range.last, bytes[last].isHeaderSpace { range = range.lowerBound..<last }
        return UnsafeRawBufferPointer(rebasing: bytes[range])
    }

    var isRepeated: Bool {
        if case .repeated = self { true } else { false }
    }

    var isAbsent: Bool {
        if case .absent = self { true } else { false }
    }
}

/// The header fields that decide where a request goes.
///
/// Borrowed like ``RoutingHeader``.
public struct RoutingHeaders {
    /// `MCP-Protocol-Version`.
    public var protocolVersion: RoutingHeader
    /// `Mcp-Method`.
    public var method: RoutingHeader
    /// `Mcp-Name`.
    public var name: RoutingHeader
    /// `Mcp-Session-Id`.
    public var session: RoutingHeader

    /// The fields of one head.
    public init(
        protocolVersion: RoutingHeader = .absent,
        method: RoutingHeader = .absent,
        name: RoutingHeader = .absent,
        session: RoutingHeader = .absent
    ) {
        self.protocolVersion = protocolVersion
        self.method = method
        self.name = name
        self.session = session
    }
}

extension UInt8 {
    fileprivate var isHeaderSpace: Bool { self == 0x20 || self == 0x09 }
}
