// SPDX-License-Identifier: MIT

internal import JSON

/// Takes the members of an object one after the other and notes every fault on the way.
///
/// A `null` is the same as an absent member: many clients write every field they know. What nobody asked for by the
/// end is an unknown field.
struct FieldReader {
    private let object: JSONObject
    /// What stands before the name of a field in a fault: empty, or `resources.`.
    private let prefix: String
    private var known: Set<String> = []
    private(set) var faults: [FieldFault] = []

    init(_ object: JSONObject, prefix: String = "") {
        self.object = object
        self.prefix = prefix
    }

    mutating func fault(_ name: String, _ code: FieldFault.Code, _ message: String) {
        guard faults.count < ValidationError.maximumFaults else { return }
        faults.append(FieldFault(prefix + Self.shortened(name), code, message))
    }

    mutating func add(_ other: [FieldFault]) {
        faults.append(contentsOf: other.prefix(ValidationError.maximumFaults - faults.count))
    }

    /// Whether the member is there and not `null`; makes it a known one.
    mutating func has(_ name: String) -> Bool {
        value(name) != nil
    }

    mutating func value(_ name: String) -> JSONValue? {
        known.insert(name)
        guard let value = object[name], value != .null else { return nil }
        return value
    }

    /// Passes over a member whatever it holds.
    mutating func ignore(_ name: String) {
        known.insert(name)
    }

    mutating func string(_ name: String, _ rule: (String) throws(FieldRule) -> Void) -> String? {
        guard let value = value(name) else { return nil }
        return string(value, named: name, rule)
    }

    mutating func string(
        _ value: JSONValue,
        named name: String,
        _ rule: (String) throws(FieldRule) -> Void
    ) -> String? {
        guard case .string(let text) = value else {
            fault(name, .type, "must be a string, not \(value.kind)")
            return nil
        }
        do {
            try rule(text)
            return text
        } catch {
            fault(name, error.code, error.rule)
            return nil
        }
    }

    mutating func boolean(_ name: String) -> Bool? {
        guard let value = value(name) else { return nil }
        guard case .bool(let flag) = value else {
            fault(name, .type, "must be true or false, not \(value.kind)")
            return nil
        }
        return flag
    }

    mutating func integer(_ name: String, in range: ClosedRange<Int64>) -> Int64? {
        guard let value = value(name) else { return nil }
        switch value {
        case .integer(let number) where range.contains(number): return number
        case .integer:
            fault(name, .range, "must be from \(range.lowerBound) to \(range.upperBound)")
        case .number:
            fault(name, .type, "must be a whole number from \(range.lowerBound) to \(range.upperBound)")
        default:
            fault(name, .type, "must be a number, not \(value.kind)")
        }
        return nil
    }

    mutating func strings(
        _ name: String,
        atMost maximum: Int,
        _ rule: (String) throws(FieldRule) -> Void
    ) -> [String]? {
        guard let value = value(name) else { return nil }
        guard case .array(let values) = value else {
            fault(name, .type, "must be an array of strings, not \(value.kind)")
            return nil
        }
        guard values.count <= maximum else {
            fault(name, .length, "must have at most \(maximum) elements")
            return nil
        }
        var texts: [String] = []
        for (index, element) in values.enumerated() {
            if let text = string(element, named: "\(name)[\(index)]", rule) { texts.append(text) }
        }
        return texts
    }

    /// The members of an object, each handed to `read`, which returns what is kept of it.
    mutating func dictionary<Value>(
        _ name: String,
        atMost maximum: Int,
        _ read: (inout FieldReader, JSONObject.Member, _ field: String) -> Value?
    ) -> [String: Value]? {
        guard let value = value(name) else { return nil }
        guard case .object(let object) = value else {
            fault(name, .type, "must be an object, not \(value.kind)")
            return nil
        }
        guard object.members.count <= maximum else {
            fault(name, .length, "must have at most \(maximum) members")
            return nil
        }
        var values: [String: Value] = [:]
        for member in object.members {
            if let value = read(&self, member, "\(name).\(Self.shortened(member.name))") { values[member.name] = value }
        }
        return values
    }

    /// An object of its own, read by `read`; its unknown members are faults too.
    mutating func nested<Value>(_ name: String, _ read: (inout FieldReader) -> Value) -> Value? {
        guard let value = value(name) else { return nil }
        guard case .object(let object) = value else {
            fault(name, .type, "must be an object, not \(value.kind)")
            return nil
        }
        var reader = FieldReader(object, prefix: prefix + name + ".")
        let result = read(&reader)
        reader.refuseUnknown()
        add(reader.faults)
        return result
    }

    /// Notes every member that was not asked for.
    mutating func refuseUnknown() {
        for member in object.members where !known.contains(member.name) {
            let like = known.first { $0.lowercased() == member.name.lowercased() }
            fault(member.name, .unknown, "is not a field" + (like.map { "; did you mean \($0)?" } ?? " of this object"))
        }
    }

    /// A name that a client made up, short enough to be repeated.
    private static func shortened(_ name: String) -> String {
        name.unicodeScalars.count <= 300 ? name : String(name.prefix(100)) + "…"
    }
}
