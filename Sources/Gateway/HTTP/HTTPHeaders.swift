// SPDX-License-Identifier: MIT

/// The header fields of a message that the gateway itself reads or writes, in order.
///
/// Never used on the byte path.
public struct HTTPHeaders: Hashable, Sendable, ExpressibleByDictionaryLiteral {
    /// One line of a head.
    public struct Field: Hashable, Sendable {
        /// The name as it was written; compared without regard to case.
        public var name: String
        /// The value without the white space around it.
        public var value: String

        /// A field.
        public init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    /// The fields in order.
    public private(set) var fields: [Field] = []

    /// No fields.
    public init() {}

    /// The fields of `elements` in the order given.
    public init(dictionaryLiteral elements: (String, String)...) {
        fields = elements.map(Field.init)
    }

    /// The value of the first field called `name`, or `nil`.
    public subscript(_ name: String) -> String? {
        fields.first { Self.isEqual($0.name, name) }?.value
    }

    /// The values of all fields called `name`, in order.
    public func values(of name: String) -> [String] {
        fields.filter { Self.isEqual($0.name, name) }.map(\.value)
    }

    /// Adds a field at the end, next to any of the same name.
    public mutating func append(_ name: String, _ value: String) {
        fields.append(Field(name: name, value: value))
    }

    /// Puts one field called `name` in the place of all that there are.
    public mutating func set(_ name: String, _ value: String) {
        fields.removeAll { Self.isEqual($0.name, name) }
        append(name, value)
    }

    private static func isEqual(_ left: String, _ right: String) -> Bool {
        left.utf8.count == right.utf8.count
            && zip(left.utf8, right.utf8).allSatisfy { $0 == $1 || ($0.lowercasedASCII == $1.lowercasedASCII) }
    }
}

extension UInt8 {
    fileprivate var lowercasedASCII: UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(self) ? self | 0x20 : self
    }
}
