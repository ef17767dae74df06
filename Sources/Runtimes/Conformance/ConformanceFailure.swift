// SPDX-License-Identifier: MIT

/// What a driver did against the contract.
public struct ConformanceFailure: Error, CustomStringConvertible {
    /// What was expected, and what happened.
    public let message: String
    /// Where it was noticed.
    public let line: UInt

    /// The text form.
    public var description: String { "\(message) (line \(line) of the check)" }
}

/// Fails unless `condition` holds.
func expect(_ condition: Bool, _ message: @autoclosure () -> String, line: UInt = #line) throws {
    guard condition else { throw ConformanceFailure(message: message(), line: line) }
}

/// The value, or a failure where there is none.
func require<T>(_ value: T?, _ message: @autoclosure () -> String, line: UInt = #line) throws -> T {
    guard let value else { throw ConformanceFailure(message: message(), line: line) }
    return value
}
