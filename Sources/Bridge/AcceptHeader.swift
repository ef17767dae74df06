// SPDX-License-Identifier: MIT

/// Which of the two content types of streamable HTTP a client takes (RFC 9110 §12.5.1).
struct AcceptHeader: Equatable {
    /// Whether it takes `application/json`.
    private(set) var json = false
    /// Whether it takes `text/event-stream`.
    private(set) var eventStream = false

    /// Reads the values of all `Accept` lines.
    ///
    /// Without any, the client takes nothing: MCP wants it to say what.
    init(_ values: [String]) {
        for range in values.flatMap({ $0.split(separator: ",") }) {
            let parts = range.split(separator: ";").map { Self.trimmed($0).lowercased() }
            guard let type = parts.first, !parts.dropFirst().contains(where: Self.isRefusal) else { continue }
            switch type {
            case "*/*": (json, eventStream) = (true, true)
            case "application/json", "application/*": json = true
            case "text/event-stream", "text/*": eventStream = true
            default: break
            }
        }
    }

    /// Whether `value`, a `Content-Type`, is JSON; parameters are allowed, a charset other than UTF-8 is not.
    static func isJSON(_ value: String?) -> Bool {
        guard let parts = value?.split(separator: ";").map({ trimmed($0).lowercased() }),
            parts.first == "application/json"
        else { return false }
        return parts.dropFirst().allSatisfy { parameter in
            !parameter.hasPrefix("charset=")
                || ["utf-8", "utf8", "\"utf-8\"", "\"utf8\""].contains(String(parameter.dropFirst(8)))
        }
    }

    /// Whether a parameter is a weight of zero: "not this".
    private static func isRefusal(_ parameter: String) -> Bool {
        guard parameter.hasPrefix("q=") else { return false }
        return Double(parameter.dropFirst(2)) == 0
    }

    private static func trimmed(_ text: Substring) -> Substring {
        let isSpace = { (character: Character) in character == " " || character == "\t" }
        var text = text.drop(while: isSpace)
        while let last = text.last, isSpace(last) { text.removeLast() }
        return text
    }
}
