// SPDX-License-Identifier: MIT

#if canImport(JSON)
@testable import JSON
#endif

/// What must hold of JSON, whatever its bytes are.
enum JSONCheck {
    /// What does not hold of `input`, or `nil`.
    static func violation(of input: [UInt8]) -> String? {
        let value: JSONValue
        do throws(JSONError) {
            value = try JSONParser.parse(input)
        } catch {
            return (0...input.count).contains(error.offset) ? nil : "an error is not in the text"
        }
        let written = value.bytes
        guard let again = try? JSONParser.parse(written) else { return "what was written can't be read" }
        guard again == value else { return "what was written is read as something else" }
        return again.bytes == written ? nil : "what was read again is written otherwise"
    }
}
