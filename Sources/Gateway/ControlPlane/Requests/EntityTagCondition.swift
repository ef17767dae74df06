// SPDX-License-Identifier: MIT

internal import HTTP
internal import Model

/// What `If-Match` or `If-None-Match` asks (RFC 9110 §13.1).
enum EntityTagCondition: Sendable {
    /// The header is not there.
    case none
    /// `*`: any representation at all.
    case any
    /// One of these tags, as they were written.
    case tags([String])

    /// Reads the header called `name`.
    ///
    /// - Throws: `invalidHeader` for what is no list of entity tags.
    init(_ name: String, of headers: HTTPHeaders) throws(Problem) {
        let values = headers.values(of: name)
        guard !values.isEmpty else {
            self = .none
            return
        }
        // Several fields are one list (RFC 9110 §5.3).
        let list = values.joined(separator: ", ")
        if list == "*" {
            self = .any
            return
        }
        guard let tags = Self.tags(list), !tags.isEmpty else {
            throw Problem(
                .invalidHeader, "\(name) is no list of entity tags",
                faults: [FieldFault(name, .format, "must be * or entity tags in double quotes, separated by commas")])
        }
        self = .tags(tags)
    }

    /// Whether a change may be made to a resource whose tag is `tag`: strong comparison, so weak tags match nothing.
    func allowsChange(of tag: String) -> Bool {
        switch self {
        case .none, .any: true
        case .tags(let tags): tags.contains(tag)
        }
    }

    /// Whether the asker has the representation already: weak comparison.
    func matchesWeakly(_ tag: String) -> Bool {
        switch self {
        case .none: false
        case .any: true
        case .tags(let tags): tags.contains { $0 == tag || $0 == "W/" + tag }
        }
    }

    /// `entity-tag = [ "W/" ] DQUOTE *etagc DQUOTE`, separated by commas; empty elements are passed over.
    private static func tags(_ list: String) -> [String]? {
        var tags: [String] = []
        var rest = Substring(list).utf8[...]
        let isSpace = { (byte: UInt8) in byte == 0x20 || byte == 0x09 }
        while true {
            rest = rest.drop { isSpace($0) || $0 == UInt8(ascii: ",") }
            guard !rest.isEmpty else { return tags }
            let start = rest.startIndex
            if rest.starts(with: "W/".utf8) { rest = rest.dropFirst(2) }
            guard rest.popFirst() == UInt8(ascii: "\"") else { return nil }
            rest = rest.drop { $0 == 0x21 || $0 >= 0x23 && $0 != 0x7F }
            guard rest.popFirst() == UInt8(ascii: "\"") else { return nil }
            tags.append(String(decoding: Substring(list).utf8[start..<rest.startIndex], as: UTF8.self))
            rest = rest.drop(while: isSpace)
            guard rest.isEmpty || rest.first == UInt8(ascii: ",") else { return nil }
        }
    }
}
