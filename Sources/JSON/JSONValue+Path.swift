// SPDX-License-Identifier: MIT

/// Reading of documents whose rest does not matter: what is absent or of another kind is `nil`.
extension JSONValue {
    /// The value at the end of this path of names.
    public subscript(_ names: String...) -> JSONValue? {
        var value = self
        for name in names {
            guard case .object(let object) = value, let next = object[name] else { return nil }
            value = next
        }
        return value
    }

    /// The text that this is.
    public var text: String? {
        guard case .string(let text) = self else { return nil }
        return text
    }

    /// The whole number that this is.
    public var number: Int64? {
        guard case .integer(let number) = self else { return nil }
        return number
    }

    /// The boolean that this is.
    public var flag: Bool? {
        guard case .bool(let flag) = self else { return nil }
        return flag
    }

    /// The elements of an array; none of anything else.
    public var items: [JSONValue] {
        guard case .array(let items) = self else { return [] }
        return items
    }

    /// An object's members whose values are text.
    public var texts: [String: String] {
        guard case .object(let object) = self else { return [:] }
        return object.members.reduce(into: [:]) { $0[$1.name] = $1.value.text }
    }
}
