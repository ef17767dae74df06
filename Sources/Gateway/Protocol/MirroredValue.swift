// SPDX-License-Identifier: MIT

/// A value of the body as `Mcp-Name` and `Mcp-Param-*` carry it: as it is where that is visible ASCII, else as
/// `=?base64?…?=` (streamable HTTP, 2026-07-28).
public enum MirroredValue {
    /// How a header compares with the body.
    public enum Comparison: Hashable, Sendable {
        /// It says the same.
        case equal
        /// It says something else.
        case different
        /// It has bytes that should have been encoded, or a sentinel around what is not base64.
        case malformed
    }

    /// Compares `header`, without the white space around it, with the text `body`.
    ///
    /// Letter case counts.
    public static func compare(header: UnsafeRawBufferPointer, body: some Collection<UInt8>) -> Comparison {
        if isSentinel(header) {
            let encoded = header[prefix.utf8CodeUnitCount..<header.count - suffix.utf8CodeUnitCount]
            guard let decoded = Base64.decode(encoded, .standard) else { return .malformed }
            return decoded.elementsEqual(body) ? .equal : .different
        }
        guard header.allSatisfy({ (0x20...0x7E).contains($0) || $0 == 0x09 }) else { return .malformed }
        return header.elementsEqual(body) ? .equal : .different
    }

    /// The header value that says `text`.
    public static func encode(_ text: some Collection<UInt8>) -> [UInt8] {
        let bytes = [UInt8](text)
        let isPlain = bytes.withUnsafeBytes { pointer in
            pointer.allSatisfy { (0x20...0x7E).contains($0) } && !isSentinel(pointer)
        }
        let hasOuterSpace = bytes.first == 0x20 || bytes.last == 0x20
        if isPlain, !hasOuterSpace, !bytes.isEmpty { return bytes }
        return Array(UnsafeBufferPointer(start: prefix.utf8Start, count: prefix.utf8CodeUnitCount))
            + Base64.encode(bytes, .standard)
            + Array(UnsafeBufferPointer(start: suffix.utf8Start, count: suffix.utf8CodeUnitCount))
    }

    private static let prefix: StaticString = "=?base64?"
    private static let suffix: StaticString = "?="

    private static func isSentinel(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let edges = prefix.utf8CodeUnitCount + suffix.utf8CodeUnitCount
        guard bytes.count >= edges else { return false }
        return bytes.starts(with: UnsafeBufferPointer(start: prefix.utf8Start, count: prefix.utf8CodeUnitCount))
            && bytes.suffix(suffix.utf8CodeUnitCount)
                .elementsEqual(UnsafeBufferPointer(start: suffix.utf8Start, count: suffix.utf8CodeUnitCount))
    }
}
