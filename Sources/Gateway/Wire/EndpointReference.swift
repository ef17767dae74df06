// SPDX-License-Identifier: MIT

/// What the URI in an `endpoint` event means: a path and query on the server that sent it.
public enum EndpointReference {
    /// The longest reference that is followed.
    public static let maximumLength = 4096

    /// The request target, path and query, that `reference` names when it comes from the stream at `base`.
    ///
    /// `base` is the request target of the stream. Resolves as RFC 3986 §5.2 says, dot segments removed, everything else
    /// as it is written. Scheme, user, host and port of an absolute URI count for nothing: the server may know itself by
    /// another name, and messages go to the instance that the stream comes from in any case. `nil` where the reference
    /// is empty, too long, has a byte outside of 0x21...0x7E, or a scheme other than `http` and `https`.
    public static func target(_ reference: ArraySlice<UInt8>, base: [UInt8]) -> [UInt8]? {
        guard (1...maximumLength).contains(reference.count),
            reference.allSatisfy({ (0x21...0x7E).contains($0) })
        else { return nil }
        var rest = reference.prefix { $0 != UInt8(ascii: "#") }
        if let scheme = scheme(of: rest) {
            guard scheme.isHTTP else { return nil }
            rest = rest.dropFirst(scheme.count + 1)
            guard rest.starts(with: "//".utf8) else { return nil }
        }
        let basePath = base.prefix { $0 != UInt8(ascii: "?") }
        var hasAuthority = false
        if rest.starts(with: "//".utf8) {
            hasAuthority = true
            let authority = rest.dropFirst(2).prefix { $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "?") }
            guard !authority.isEmpty else { return nil }
            rest = rest.dropFirst(2 + authority.count)
        }
        let path = rest.prefix { $0 != UInt8(ascii: "?") }
        let query = rest.dropFirst(path.count)
        if path.isEmpty {
            if hasAuthority { return [UInt8(ascii: "/")] + query }
            // Only a query or a fragment: the path of the stream, and its query where there is no other.
            return query.isEmpty ? base : Array(basePath + query)
        }
        if path.first == UInt8(ascii: "/") { return withoutDotSegments(path) + query }
        let folder = basePath.lastIndex(of: UInt8(ascii: "/")).map { basePath[...$0] } ?? [UInt8(ascii: "/")]
        return withoutDotSegments(folder + path) + query
    }

    /// The scheme in front of the first colon, if that comes before any `/` and `?` (RFC 3986 §3.1).
    private static func scheme(of reference: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        let start = reference.prefix { $0 != UInt8(ascii: ":") && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "?") }
        guard start.endIndex < reference.endIndex, reference[start.endIndex] == UInt8(ascii: ":") else { return nil }
        return start
    }

    /// RFC 3986 §5.2.4; `path` begins with a slash, and so does the result.
    private static func withoutDotSegments(_ path: ArraySlice<UInt8>) -> [UInt8] {
        var segments: [ArraySlice<UInt8>] = []
        let parts = path.dropFirst().split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        for (index, part) in parts.enumerated() {
            let isLast = index == parts.count - 1
            if part.elementsEqual(".".utf8) {
                if isLast { segments.append([]) }
            } else if part.elementsEqual("..".utf8) {
                _ = segments.popLast()
                if isLast { segments.append([]) }
            } else {
                segments.append(part)
            }
        }
        return [UInt8(ascii: "/")] + segments.joined(separator: [UInt8(ascii: "/")])
    }
}

extension ArraySlice<UInt8> {
    /// Whether this is the scheme of a web server, in any case.
    fileprivate var isHTTP: Bool {
        let folded = map { $0 | 0x20 }
        return folded.elementsEqual("http".utf8) || folded.elementsEqual("https".utf8)
    }
}
