// SPDX-License-Identifier: MIT

import JSON

/// Which tools may be called a second time, as their server annotates them.
enum ToolHints {
    /// How many names are kept of one session.
    static let limit = 1024

    /// The tools in an answer to `tools/list`: whether each may be called again although the first call may have had its
    /// effect, because it only reads or because the second time changes nothing more.
    static func read(_ answer: JSONValue) -> [String: Bool] {
        guard case .object(let message) = answer, case .object(let result)? = message["result"],
            case .array(let tools)? = result["tools"]
        else { return [:] }
        var hints: [String: Bool] = [:]
        for case .object(let tool) in tools {
            guard case .string(let name)? = tool["name"] else { continue }
            var isRepeatable = false
            if case .object(let annotations)? = tool["annotations"] {
                isRepeatable =
                    annotations["readOnlyHint"] == .bool(true) || annotations["idempotentHint"] == .bool(true)
            }
            hints[name] = isRepeatable
        }
        return hints
    }
}
