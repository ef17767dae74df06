// SPDX-License-Identifier: MIT

/// A rule that a value breaks, without saying which field holds the value.
public struct FieldRule: Error, Hashable, Sendable {
    /// What kind of fault it is.
    public var code: FieldFault.Code
    /// The rule as a phrase that follows the field's name: `must have 1 to 64 characters`.
    public var rule: String

    /// States a rule.
    public init(_ code: FieldFault.Code, _ rule: String) {
        self.code = code
        self.rule = rule
    }
}
