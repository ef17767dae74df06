// SPDX-License-Identifier: MIT

internal import RuntimeContract

/// The rules for the texts of an adapter, the same as the patterns of the OpenAPI document.
enum AdapterRules {
    static func imageName(_ text: String) throws(FieldRule) {
        try length(text, 1...AdapterLimits.imageNameLength)
        guard isFramed(text, inner: "._/:-") else {
            throw FieldRule(
                .format, "must be letters, digits and . _ / : - and begin and end with a letter or digit")
        }
    }

    static func imageVersion(_ text: String) throws(FieldRule) {
        try length(text, 1...AdapterLimits.imageVersionLength)
        guard let first = text.utf8.first, first.isAlphanumeric || first == UInt8(ascii: "_"),
            consists(text, of: "_.+:-")
        else {
            throw FieldRule(
                .format, "must be letters, digits and _ . + : - and begin with a letter, a digit or _")
        }
    }

    /// The name of an environment variable (POSIX.1 §8.1, lower case too).
    static func isVariableName(_ text: String) -> Bool {
        guard let first = text.utf8.first, !(0x30...0x39).contains(first) else { return false }
        return text.utf8.count <= AdapterLimits.variableNameLength && consists(text, of: "_")
    }

    static func variableValue(_ text: String) throws(FieldRule) {
        try plain(text, 0...AdapterLimits.variableValueLength)
    }

    /// A header field that is for the server alone: none that the gateway or the protocol needs, since there must be one of
    /// each.
    static func headerName(_ text: String) throws(FieldRule) {
        guard (1...AdapterLimits.headerNameLength).contains(text.utf8.count), consists(text, of: "-_") else {
            throw FieldRule(
                .format,
                "must be called by at most \(AdapterLimits.headerNameLength) letters, digits, hyphens and underscores")
        }
        let name = text.lowercased()
        let taken: Set<String> = [
            "accept", "accept-encoding", "connection", "content-encoding", "content-length", "content-type", "expect",
            "forwarded", "host", "keep-alive", "last-event-id", "origin", "te", "trailer", "transfer-encoding",
            "upgrade", "via",
        ]
        let prefixes = ["access-control-", "mcp-", "proxy-", "x-forwarded-"]
        guard !taken.contains(name), !prefixes.contains(where: name.hasPrefix) else {
            throw FieldRule(.conflict, "must be another field: this one is the gateway's or the protocol's")
        }
    }

    /// Visible ASCII and spaces between (RFC 9110 §5.5).
    static func headerValue(_ text: String) throws(FieldRule) {
        try length(text, 1...AdapterLimits.headerValueLength)
        guard text.utf8.allSatisfy({ (0x20...0x7E).contains($0) }), !text.hasPrefix(" "), !text.hasSuffix(" ") else {
            throw FieldRule(.format, "must be visible ASCII characters, with spaces only between them")
        }
    }

    static func description(_ text: String) throws(FieldRule) {
        try length(text, 0...AdapterLimits.descriptionLength)
    }

    static func role(_ text: String) throws(FieldRule) {
        try length(text, 1...AdapterLimits.roleLength)
    }

    static func command(_ text: String) throws(FieldRule) {
        try plain(text, 1...AdapterLimits.commandLength)
        guard text.hasPrefix("/") || !text.contains("/") else {
            throw FieldRule(.format, "must be an absolute path, or a name without / that is looked up in PATH")
        }
    }

    static func argument(_ text: String) throws(FieldRule) {
        try plain(text, 0...AdapterLimits.argumentLength)
    }

    static func workingDirectory(_ text: String) throws(FieldRule) {
        try plain(text, 1...AdapterLimits.commandLength)
        guard text.hasPrefix("/") else { throw FieldRule(.format, "must be an absolute path") }
    }

    static func transport(_ text: String) throws(FieldRule) {
        guard Transport(rawValue: text) != nil else {
            let words = Transport.allCases.map(\.rawValue).joined(separator: ", ")
            throw FieldRule(.range, "must be one of \(words)")
        }
    }

    static func affinity(_ text: String) throws(FieldRule) {
        guard SessionAffinity(text) != nil else {
            throw FieldRule(
                .format, "must be none, principal, tasks, header:NAME or param:NAME, with a name of 1 to 64 characters")
        }
    }

    static func recovery(_ text: String) throws(FieldRule) {
        guard SessionRecovery(rawValue: text) != nil else {
            throw FieldRule(.range, "must be one of none, reinitialize")
        }
    }

    /// A revision of MCP is named by a date.
    static func revision(_ text: String) throws(FieldRule) {
        let bytes = Array(text.utf8)
        let isDate =
            bytes.count == 10
            && bytes.indices.allSatisfy { index in
                index == 4 || index == 7 ? bytes[index] == UInt8(ascii: "-") : (0x30...0x39).contains(bytes[index])
            }
        guard isDate else { throw FieldRule(.format, "must be a date such as 2026-07-28") }
    }

    /// An absolute path without query and fragment (RFC 3986 §3.3).
    static func path(_ text: String) throws(FieldRule) {
        try length(text, 1...AdapterLimits.pathLength)
        let bytes = Array(text.utf8)
        let allowed = Set("._~!$&'()*+,;=:@/-".utf8)
        let isPath = bytes.indices.allSatisfy { index in
            guard bytes[index] == UInt8(ascii: "%") else {
                return bytes[index].isAlphanumeric || allowed.contains(bytes[index])
            }
            return index + 2 < bytes.count && bytes[index + 1].isHexadecimal && bytes[index + 2].isHexadecimal
        }
        guard bytes.first == UInt8(ascii: "/"), isPath else {
            throw FieldRule(
                .format, "must begin with / and be a path without query, everything unusual percent-encoded")
        }
    }

    /// A label's key: a name of at most 63 characters, after a DNS name and `/` if need be.
    static func isLabelKey(_ text: String) -> Bool {
        guard let slash = text.firstIndex(of: "/") else { return isLabelName(text) }
        let prefix = String(text[..<slash])
        return prefix.utf8.count <= AdapterLimits.labelPrefixLength && isFramed(prefix, inner: ".-")
            && prefix.utf8.allSatisfy { !(0x41...0x5A).contains($0) }
            && isLabelName(String(text[text.index(after: slash)...]))
    }

    static func labelValue(_ text: String) throws(FieldRule) {
        guard text.isEmpty || isLabelName(text) else {
            throw FieldRule(
                .format,
                "must be empty, or at most 63 letters, digits and . _ - and begin and end with a letter or digit")
        }
    }

    // MARK: Parts

    private static func isLabelName(_ text: String) -> Bool {
        text.utf8.count <= AdapterLimits.labelLength && isFramed(text, inner: "._-")
    }

    private static func length(_ text: String, _ range: ClosedRange<Int>) throws(FieldRule) {
        guard range.contains(text.unicodeScalars.count) else {
            let least = range.lowerBound == 0 ? "at most" : "\(range.lowerBound) to"
            throw FieldRule(.length, "must have \(least) \(range.upperBound) characters")
        }
    }

    /// Text that a process can be given: it ends at a NUL byte (execve(2)).
    private static func plain(_ text: String, _ range: ClosedRange<Int>) throws(FieldRule) {
        try length(text, range)
        guard !text.utf8.contains(0) else { throw FieldRule(.format, "must have no NUL character") }
    }

    private static func consists(_ text: String, of others: String) -> Bool {
        text.utf8.allSatisfy { $0.isAlphanumeric || others.utf8.contains($0) }
    }

    /// Whether `text` begins and ends with a letter or digit and has only these and `inner` in between.
    private static func isFramed(_ text: String, inner: String) -> Bool {
        guard let first = text.utf8.first, let last = text.utf8.last else { return false }
        return first.isAlphanumeric && last.isAlphanumeric && consists(text, of: inner)
    }
}

extension UInt8 {
    fileprivate var isAlphanumeric: Bool {
        (0x30...0x39).contains(self) || (0x41...0x5A).contains(self) || (0x61...0x7A).contains(self)
    }
    fileprivate var isHexadecimal: Bool {
        (0x30...0x39).contains(self) || (0x41...0x46).contains(self) || (0x61...0x66).contains(self)
    }
}
