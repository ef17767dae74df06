// SPDX-License-Identifier: MIT

/// What is wrong with one field of a request.
public struct FieldFault: Hashable, Sendable {
    /// The kind of fault; stable, for programs.
    public enum Code: String, Hashable, Sendable, CaseIterable {
        /// The field must be there.
        case required
        /// The value is of another JSON type.
        case type
        /// The value does not have the form that it must have.
        case format
        /// The number is too small or too large, or is none of the values allowed.
        case range
        /// The text is too long or too short, or there are too many elements.
        case length
        /// There is no such field.
        case unknown
        /// The field does not go together with another one.
        case conflict
        /// This gateway can't do what the field asks for.
        case unsupported
    }

    /// Where: `replicaCount`, `arguments[3]`, `environmentVariables.PATH`.
    public var field: String
    /// What kind of fault it is.
    public var code: Code
    /// What is wrong and what would be right, for people; never the value of a secret.
    public var message: String

    /// Describes a fault.
    public init(_ field: String, _ code: Code, _ message: String) {
        self.field = field
        self.code = code
        self.message = message
    }
}

/// All that is wrong with a request.
public struct ValidationError: Error, Hashable, Sendable {
    /// The most faults that are collected: a body of nothing but faults must not make an answer many times its size.
    public static let maximumFaults = 100

    /// The faults in the order of the fields; at least one.
    public var faults: [FieldFault]

    /// Gathers `faults`, of which there is at least one.
    public init(_ faults: [FieldFault]) {
        precondition(!faults.isEmpty, "a validation error names at least one fault")
        self.faults = faults
    }
}
