// SPDX-License-Identifier: MIT

import CSystemd
import Glibc
public import Logging

/// One message for the journal, with fields of its own (systemd.journal-fields(7)).
public struct JournalEntry: Hashable, Sendable {
    /// `NAME=value` each, as bytes: a value may hold anything.
    public let fields: [[UInt8]]

    /// The longest value kept of one field, in bytes: with all fields together an entry goes into one datagram.
    private static let maximumValue = 16 * 1024

    /// Puts a message together.
    ///
    /// `MESSAGE` has the metadata as well, for people who read lines; each of its members is a field besides, named
    /// `MCP_GATEWAY_` and its key in capitals.
    ///
    /// - Parameter label: The part of the gateway that speaks.
    public init(_ level: Logger.Level, _ message: String, label: String, metadata: Logger.Metadata) {
        let sorted = metadata.sorted { $0.key < $1.key }
        let words = sorted.map { " \($0.key)=\($0.value)" }.joined()
        var fields = [
            Self.field("MESSAGE", message + words), Self.field("PRIORITY", Self.priority(level)),
            Self.field("SYSLOG_IDENTIFIER", "mcp-gateway"), Self.field("MCP_GATEWAY_LOGGER", label),
            Self.field("MCP_GATEWAY_EVENT", message),
        ]
        for (key, value) in sorted { fields.append(Self.field("MCP_GATEWAY_\(Self.name(key))", "\(value)")) }
        self.fields = fields
    }

    /// Hands the entry to the journal; `false` if it can't be.
    public func send() -> Bool {
        // One allocation for all, which stays where it is while the parts point into it.
        let bytes = fields.flatMap(\.self)
        return bytes.withUnsafeBytes { bytes in
            var parts: [iovec] = []
            var offset = 0
            for field in fields {
                let start = bytes.baseAddress.map { UnsafeMutableRawPointer(mutating: $0 + offset) }
                parts.append(iovec(iov_base: start, iov_len: field.count))
                offset += field.count
            }
            return csystemd_journal_send(parts, Int32(parts.count)) == 0
        }
    }

    /// The levels of syslog(3).
    private static func priority(_ level: Logger.Level) -> String {
        switch level {
        case .trace, .debug: "7"
        case .info: "6"
        case .notice: "5"
        case .warning: "4"
        case .error: "3"
        case .critical: "2"
        }
    }

    /// A key as the journal takes it: capitals, digits and underscores, 64 of them with the prefix.
    private static func name(_ key: String) -> String {
        var name: [UInt8] = []
        var wasSmall = false
        for byte in key.utf8.prefix(40) {
            let isCapital = (0x41...0x5A).contains(byte)
            // camelCase becomes CAMEL_CASE.
            if isCapital, wasSmall { name.append(UInt8(ascii: "_")) }
            let isSmall = (0x61...0x7A).contains(byte)
            let isDigit = (0x30...0x39).contains(byte)
            name.append(isSmall ? byte - 0x20 : isCapital || isDigit ? byte : UInt8(ascii: "_"))
            wasSmall = isSmall || isDigit
        }
        return String(decoding: name, as: UTF8.self)
    }

    private static func field(_ name: String, _ value: String) -> [UInt8] {
        Array("\(name)=".utf8) + Array(value.utf8.prefix(maximumValue))
    }
}
