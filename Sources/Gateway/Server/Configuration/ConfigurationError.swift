// SPDX-License-Identifier: MIT

/// Everything that is wrong with a configuration, found in one go.
public struct ConfigurationError: Error, Sendable, CustomStringConvertible {
    /// One thing that is wrong.
    public struct Fault: Hashable, Sendable, CustomStringConvertible {
        /// The key, or the file, that is at fault.
        public var key: String
        /// The value as it was given; `nil` when there is none, or when it is secret.
        public var value: String?
        /// What the value should be.
        public var rule: String

        /// The text form.
        public var description: String {
            guard let value else { return "\(key): \(rule)" }
            return "\(key): '\(value)' is not accepted: \(rule)"
        }
    }

    /// At least one.
    public var faults: [Fault]

    /// Collects faults.
    public init(_ faults: [Fault]) {
        self.faults = faults
    }

    init(key: String, value: String? = nil, rule: String) {
        self.init([Fault(key: key, value: value, rule: rule)])
    }

    /// The text form.
    public var description: String { faults.map(\.description).joined(separator: "\n") }
}
