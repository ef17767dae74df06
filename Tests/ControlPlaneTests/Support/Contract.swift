// SPDX-License-Identifier: MIT

import HTTP
import JSON
import Model
import Testing

@testable import ControlPlane

/// The OpenAPI document, to check answers against.
struct Contract: Sendable {
    static let shared = Contract()

    private let document: JSONValue

    private init() {
        document = (try? JSONParser.parse(openAPIDocument.withUTF8Buffer { Array($0) })) ?? .null
    }

    /// Notes an issue for everything about `answer` that the contract does not allow.
    func check(
        _ method: String,
        _ target: String,
        _ answer: Answer,
        sourceLocation: SourceLocation
    ) throws {
        func fail(_ message: String) {
            Issue.record("\(method) \(target): \(message)\n\(answer.text)", sourceLocation: sourceLocation)
        }
        let path = ControlRoute(target: target)?.template
        // Methods are compared as they are written (RFC 9110 §9.1).
        let key = method == "HEAD" ? "get" : method == method.uppercased() ? method.lowercased() : "-"
        let operation = path.flatMap { document["paths"]?[$0]?[key] }
        guard let operation else {
            // What the contract does not know is refused with a problem.
            if ![404, 405].contains(answer.status) { fail("an operation that is not in the contract was done") }
            let faults = faults(answer.json, document["components"]?["schemas"]?["Problem"] ?? .null, "body")
            if !faults.isEmpty { fail(faults.joined(separator: "\n")) }
            return
        }
        guard let response = operation["responses"]?[String(answer.status)].map(resolved) else {
            return fail("status \(answer.status) is not in the contract")
        }
        if case .object(let headers) = response["headers"] {
            for header in headers.members {
                let rules = resolved(header.value)
                guard let value = answer.headers[header.name] else {
                    if rules["required"] == true { fail("the header \(header.name) is missing") }
                    continue
                }
                let json = Int64(value).map(JSONValue.integer) ?? .string(value)
                let typed = resolved(rules["schema"] ?? .null)["type"] == "string" ? .string(value) : json
                for fault in faults(typed, rules["schema"] ?? .null, header.name) { fail(fault) }
            }
        }
        guard case .object(let content) = response["content"], method != "HEAD" else {
            if !answer.bytes.isEmpty, method != "HEAD" { fail("there is a body") }
            return
        }
        let type = String((answer.headers["Content-Type"] ?? "").prefix { $0 != ";" })
        guard let media = content[type] else { return fail("the media type '\(type)' is not in the contract") }
        let body: JSONValue = type.hasSuffix("json") ? try JSONParser.parse(answer.bytes) : .string(answer.text)
        for fault in faults(body, media["schema"] ?? .null, "body") { fail(fault) }
        if let title = body["title"], title.text == nil || body["status"] != .integer(Int64(answer.status)) {
            fail("the problem is of another status")
        }
    }

    /// Whether `value` satisfies the schema called `name`.
    func allows(_ value: JSONValue, _ name: String) -> Bool {
        faults(value, document["components"]?["schemas"]?[name] ?? .null, "body").isEmpty
    }
}

// MARK: - JSON Schema, as much of it as the contract uses

extension Contract {
    private func resolved(_ value: JSONValue) -> JSONValue {
        guard let reference = value["$ref"]?.text else { return value }
        var target = document
        for part in reference.dropFirst(2).split(separator: "/") { target = target[String(part)] ?? .null }
        return resolved(target)
    }

    private func faults(_ value: JSONValue, _ schema: JSONValue, _ place: String) -> [String] {
        let schema = resolved(schema)
        guard case .object(let rules) = schema else { return ["\(place): there is no schema"] }
        var found: [String] = []
        for rule in rules.members where !holds(rule.name, rule.value, of: value, schema) {
            found.append("\(place): \(rule.name) does not hold")
        }
        if let condition = schema["if"], let consequence = schema["then"], faults(value, condition, place).isEmpty {
            found += faults(value, consequence, place)
        }
        if case .object(let object) = value {
            for member in object.members {
                let inner = place + "." + member.name
                if let property = schema["properties"]?[member.name] {
                    found += faults(member.value, property, inner)
                } else if let others = schema["additionalProperties"] {
                    found += others == false ? ["\(inner): is not allowed"] : faults(member.value, others, inner)
                }
                if let names = schema["propertyNames"] { found += faults(.string(member.name), names, inner) }
            }
        }
        if case .array(let values) = value, let items = schema["items"] {
            for (index, element) in values.enumerated() { found += faults(element, items, "\(place)[\(index)]") }
        }
        return found
    }

    private func holds(_ rule: String, _ argument: JSONValue, of value: JSONValue, _ schema: JSONValue) -> Bool {
        let fits = { (option: JSONValue) in self.faults(value, option, "").isEmpty }
        switch (rule, argument, value) {
        case ("type", .array(let types), _): return types.contains { isType($0, value) }
        case ("type", _, _): return isType(argument, value)
        case ("enum", .array(let values), _): return values.contains(value)
        case ("const", _, _): return argument == value
        case ("oneOf", .array(let options), _): return options.count(where: fits) == 1
        case ("anyOf", .array(let options), _): return options.contains(where: fits)
        case ("not", _, _): return !fits(argument)
        case ("required", .array(let names), .object(let object)):
            return names.allSatisfy { $0.text.flatMap { object[$0] } != nil }
        case ("minimum", .integer(let limit), .integer(let number)): return number >= limit
        case ("maximum", .integer(let limit), .integer(let number)): return number <= limit
        case ("minLength", .integer(let limit), .string(let text)): return text.unicodeScalars.count >= limit
        case ("maxLength", .integer(let limit), .string(let text)): return text.unicodeScalars.count <= limit
        case ("minItems", .integer(let limit), .array(let values)): return values.count >= limit
        case ("maxItems", .integer(let limit), .array(let values)): return values.count <= limit
        case ("maxProperties", .integer(let limit), .object(let object)): return object.members.count <= limit
        case ("pattern", .string(let pattern), .string(let text)):
            guard let expression = try? Regex(pattern).matchingSemantics(.unicodeScalar) else { return false }
            return text.firstMatch(of: expression) != nil
        default: return true
        }
    }

    private func isType(_ type: JSONValue, _ value: JSONValue) -> Bool {
        switch (type, value) {
        case ("null", .null), ("boolean", .bool), ("integer", .integer), ("number", .integer), ("number", .number),
            ("string", .string), ("array", .array), ("object", .object):
            true
        default: false
        }
    }
}
