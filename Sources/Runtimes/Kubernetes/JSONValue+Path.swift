// SPDX-License-Identifier: MIT

internal import JSON

/// Reading of objects whose rest does not matter: what is absent or of another kind is `nil`.
extension JSONValue {
    subscript(_ names: String...) -> JSONValue? {
        var value = self
        for name in names {
            guard case .object(let object) = value, let next = object[name] else { return nil }
            value = next
        }
        return value
    }

    var text: String? {
        guard case .string(let text) = self else { return nil }
        return text
    }

    var number: Int64? {
        guard case .integer(let number) = self else { return nil }
        return number
    }

    var flag: Bool? {
        guard case .bool(let flag) = self else { return nil }
        return flag
    }

    var items: [JSONValue] {
        guard case .array(let items) = self else { return [] }
        return items
    }

    /// An object's members whose values are text.
    var texts: [String: String] {
        guard case .object(let object) = self else { return [:] }
        return object.members.reduce(into: [:]) { $0[$1.name] = $1.value.text }
    }
}
