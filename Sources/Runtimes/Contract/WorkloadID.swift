// SPDX-License-Identifier: MIT

/// The name of a workload: an RFC 1035 label of at most 50 characters.
///
/// The name is the handle: it names the StatefulSet, the unit and the state directory, so no opaque handle
/// needs to be stored to find a workload again. 50 leaves room for the suffixes that drivers add within the
/// 63 characters of a DNS label.
public struct WorkloadID: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The largest number of characters in a name.
    public static let maximumLength = 50

    /// The label itself.
    public let rawValue: String

    /// Creates an identifier, or `nil` when `rawValue` is not a label.
    ///
    /// A label starts with a lower-case ASCII letter, goes on with letters, digits and hyphens, ends with a letter
    /// or digit (RFC 1035 §2.3.1) and has 1...50 characters.
    public init?(_ rawValue: String) {
        guard Self.isLabel(rawValue) else { return nil }
        self.rawValue = rawValue
    }

    /// Whether `text` is an RFC 1035 label of at most ``maximumLength`` characters.
    public static func isLabel(_ text: String) -> Bool {
        let bytes = text.utf8
        guard let first = bytes.first, let last = bytes.last, bytes.count <= maximumLength else { return false }
        guard first.isLowercaseLetter, last != UInt8(ascii: "-") else { return false }
        return bytes.allSatisfy { $0.isLowercaseLetter || $0.isDigit || $0 == UInt8(ascii: "-") }
    }

    /// The text form.
    public var description: String { rawValue }

    /// The natural order.
    public static func < (left: WorkloadID, right: WorkloadID) -> Bool { left.rawValue < right.rawValue }
}

extension UInt8 {
    fileprivate var isLowercaseLetter: Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self) }
    fileprivate var isDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }
}
