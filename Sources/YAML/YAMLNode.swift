// SPDX-License-Identifier: MIT

/// A piece of a YAML document, with the line it begins on so that an error can point there.
public struct YAMLNode: Hashable, Sendable {
    /// What a node can be.
    ///
    /// A scalar stays text: what it means is for the reader of the key to say.
    public enum Content: Hashable, Sendable {
        /// A single value. `isPlain` when it was written without quotes, so that a bare `null` can mean "nothing".
        case scalar(String, isPlain: Bool)
        /// A list.
        case sequence([YAMLNode])
        /// Keys and values in the order of the document; keys are unique.
        case mapping([Entry])
    }

    /// A key and its value.
    public struct Entry: Hashable, Sendable {
        /// The key, a scalar.
        public var key: String
        /// Counted from 1.
        public var line: Int
        /// What stands behind it.
        public var value: YAMLNode

        /// An entry.
        public init(key: String, line: Int, value: YAMLNode) {
            self.key = key
            self.line = line
            self.value = value
        }
    }

    /// What it is.
    public var content: Content
    /// Counted from 1.
    public var line: Int

    /// A node.
    public init(content: Content, line: Int) {
        self.content = content
        self.line = line
    }

    /// The text of a scalar; `nil` for anything else and for a bare `null`, `~` or nothing at all.
    public var text: String? {
        guard case .scalar(let text, let isPlain) = content else { return nil }
        return isPlain && ["", "~", "null", "Null", "NULL"].contains(text) ? nil : text
    }

    /// Whether it is a bare `null`, `~` or nothing at all.
    public var isNull: Bool {
        guard case .scalar = content else { return false }
        return text == nil
    }
}
