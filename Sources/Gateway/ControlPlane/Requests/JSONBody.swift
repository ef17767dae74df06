// SPDX-License-Identifier: MIT

internal import HTTP
internal import JSON
internal import Model
internal import NIOCore

extension HTTPRequest {
    /// The body as JSON.
    ///
    /// - Throws: `unsupportedMediaType`, `bodyTooLarge`, `malformedBody`.
    func json(maximumBytes: Int) throws(Problem) -> JSONValue {
        guard Self.isJSON(headers.values(of: "Content-Type")) else {
            var problem = Problem(
                .unsupportedMediaType, "the body must be JSON: send Content-Type: application/json")
            problem.headers.set("Accept", "application/json")
            throw problem
        }
        if let coding = headers["Content-Encoding"], coding.lowercased() != "identity" {
            throw Problem(.unsupportedMediaType, "the body must not be compressed")
        }
        guard body.readableBytes <= maximumBytes else {
            throw Problem(.bodyTooLarge, "the body must not be larger than \(maximumBytes) bytes")
        }
        do {
            return try JSONParser.parse(Array(body.readableBytesView))
        } catch {
            throw Problem(.malformedBody, "the body is not JSON: \(error)")
        }
    }

    /// `application/json`, whatever its parameters are, but in UTF-8 (RFC 8259 §8.1).
    private static func isJSON(_ values: [String]) -> Bool {
        guard values.count == 1, let value = values.first?.lowercased() else { return false }
        let parts = value.split(separator: ";", omittingEmptySubsequences: false).map(trimmed)
        guard parts.first == "application/json" else { return false }
        let charsets = parts.dropFirst().filter { $0.hasPrefix("charset=") }.map { $0.dropFirst(8) }
        return charsets.allSatisfy { $0 == "utf-8" || $0 == "\"utf-8\"" }
    }

    private static func trimmed(_ text: Substring) -> String {
        let isSpace = { (character: Character) in character == " " || character == "\t" }
        return String(text.drop(while: isSpace).reversed().drop(while: isSpace).reversed())
    }
}
