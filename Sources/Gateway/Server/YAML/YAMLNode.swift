// SPDX-License-Identifier: MIT

/// A piece of a YAML document, with the line it begins on so that an error can point there.
struct YAMLNode: Hashable, Sendable {
    /// What a node can be.
    ///
    /// A scalar stays text: what it means is for the reader of the key to say.
    enum Content: Hashable, Sendable {
        /// A single value. `isPlain` when it was written without quotes, so that a bare `null` can mean "nothing".
        case scalar(String, isPlain: Bool)
        /// A list.
        case sequence([YAMLNode])
        /// Keys and values in the order of the document; keys are unique.
        case mapping([Entry])
    }

    /// A key and its value.
    struct Entry: Hashable, Sendable {
        var key: String
        var line: Int
        var value: YAMLNode
    }

    var content: Content
    /// Counted from 1.
    var line: Int

    /// The text of a scalar; `nil` for anything else and for a bare `null`, `~` or nothing at all.
    var text: String? {
        guard case .scalar(let text, let isPlain) = content else { return nil }
        return isPlain && ["", "~", "null", "Null", "NULL"].contains(text) ? nil : text
    }

    /// Whether it is a bare `null`, `~` or nothing at all.
    var isNull: Bool {
        guard case .scalar = content else { return false }
        return text == nil
    }
}
