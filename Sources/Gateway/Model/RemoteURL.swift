// SPDX-License-Identifier: MIT

/// The address of a server that somebody else runs: an absolute `http` or `https` URL (RFC 3986, RFC 9110 §4.2).
public struct RemoteURL: Hashable, Sendable, CustomStringConvertible {
    /// The longest text.
    public static let maximumLength = 2048

    /// The URL as it was written.
    public let rawValue: String
    /// Whether it is `https`.
    public let isEncrypted: Bool
    /// The host as it was written, an IPv6 address without its brackets.
    public let host: String
    /// The port, the scheme's own where none was written.
    public let port: UInt16
    /// The path; begins with `/`.
    public let target: String

    /// Reads an absolute URL without user information and fragment.
    ///
    /// - Throws: the rule that the text breaks.
    public init(_ text: String) throws(FieldRule) {
        guard (1...Self.maximumLength).contains(text.utf8.count) else {
            throw FieldRule(.length, "must have 1 to \(Self.maximumLength) characters")
        }
        guard text.utf8.allSatisfy({ (0x21...0x7E).contains($0) && !Self.excluded.contains($0) }) else {
            throw FieldRule(.format, "must be a URL: visible ASCII, everything else percent-encoded")
        }
        let lowercased = text.lowercased()
        let rest: Substring
        if lowercased.hasPrefix("https://") {
            (isEncrypted, rest) = (true, text.dropFirst(8))
        } else if lowercased.hasPrefix("http://") {
            (isEncrypted, rest) = (false, text.dropFirst(7))
        } else {
            throw FieldRule(.format, "must begin with http:// or https://")
        }
        guard !rest.contains("#") else { throw FieldRule(.format, "must have no fragment") }
        // A query is no place for a secret, and what clients write into theirs would have to be put together with it.
        guard !rest.contains("?") else { throw FieldRule(.format, "must have no query") }
        let authority = rest.prefix { $0 != "/" }
        guard !authority.contains("@") else {
            throw FieldRule(.format, "must have no user name or password")
        }
        let (host, port) = try Self.split(authority)
        self.host = host
        self.port = try Self.number(port) ?? (isEncrypted ? 443 : 80)
        let tail = rest.dropFirst(authority.count)
        target = tail.isEmpty ? "/" : String(tail)
        rawValue = text
    }

    /// The path, or `nil` where the URL has none, or just `/`: then the adapter's field says it, or the default.
    public var path: String? { target == "/" ? nil : target }

    /// The text form.
    public var description: String { rawValue }

    /// Characters that a URL never holds as they are (RFC 3986 §2).
    private static let excluded = Set("\"<>\\^`{|}".utf8)

    private static func split(_ authority: Substring) throws(FieldRule) -> (host: String, port: Substring?) {
        let host: Substring
        var port: Substring?
        if authority.hasPrefix("[") {
            guard let end = authority.firstIndex(of: "]") else {
                throw FieldRule(.format, "must close the [ of its host")
            }
            host = authority[authority.index(after: authority.startIndex)..<end]
            let tail = authority[authority.index(after: end)...]
            if tail.hasPrefix(":") {
                port = tail.dropFirst()
            } else if !tail.isEmpty {
                throw FieldRule(.format, "must have nothing but a port after ]")
            }
            guard host.contains(":"), host.utf8.allSatisfy({ $0.isHexDigitOrColonOrDot }) else {
                throw FieldRule(.format, "must have an IPv6 address between [ and ]")
            }
        } else {
            host = authority.prefix { $0 != ":" }
            if host.endIndex < authority.endIndex { port = authority[host.endIndex...].dropFirst() }
            let isName = host.utf8.allSatisfy { byte in
                Character(Unicode.Scalar(byte)).isLetter || Character(Unicode.Scalar(byte)).isNumber
                    || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "_")
            }
            guard !host.isEmpty, host.utf8.count <= 253, isName else { throw FieldRule(.format, "must name a host") }
        }
        return (String(host), port)
    }

    private static func number(_ text: Substring?) throws(FieldRule) -> UInt16? {
        // An empty port is the scheme's own (RFC 3986 §3.2.3).
        guard let text, !text.isEmpty else { return nil }
        guard text.utf8.count <= 5, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(text),
            port > 0
        else { throw FieldRule(.range, "must have a port from 1 to 65535") }
        return port
    }
}

extension UInt8 {
    fileprivate var isHexDigitOrColonOrDot: Bool {
        Character(Unicode.Scalar(self)).isHexDigit || self == UInt8(ascii: ":") || self == UInt8(ascii: ".")
    }
}
