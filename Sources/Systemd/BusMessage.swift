// SPDX-License-Identifier: MIT

import CSystemd

/// A message under construction, or one that was received; freed with the value that holds it.
///
/// Confined to the thread of its connection.
final class BusMessage {
    let pointer: OpaquePointer

    /// Takes over a message.
    init(_ pointer: OpaquePointer) {
        self.pointer = pointer
    }

    deinit { sd_bus_message_unref(pointer) }

    // MARK: - Writing

    func append(_ text: String) throws(SystemdError) {
        try check(text.withCString { sd_bus_message_append_basic(pointer, type("s"), $0) })
    }

    func append(_ flag: Bool) throws(SystemdError) {
        var value: Int32 = flag ? 1 : 0
        try check(sd_bus_message_append_basic(pointer, type("b"), &value))
    }

    func append(_ number: UInt64) throws(SystemdError) {
        var value = number
        try check(sd_bus_message_append_basic(pointer, type("t"), &value))
    }

    func append(_ number: Int32) throws(SystemdError) {
        var value = number
        try check(sd_bus_message_append_basic(pointer, type("i"), &value))
    }

    func append(_ texts: [String]) throws(SystemdError) {
        try container("a", "s") { () throws(SystemdError) in for text in texts { try append(text) } }
    }

    /// Writes what `body` writes into an array (`a`), variant (`v`) or structure (`r`).
    func container(_ kind: String, _ contents: String, _ body: () throws(SystemdError) -> Void) throws(SystemdError) {
        try check(sd_bus_message_open_container(pointer, type(kind), contents))
        try body()
        try check(sd_bus_message_close_container(pointer))
    }

    private static func doublingDollars(_ text: String) -> String {
        var doubled = ""
        for scalar in text.unicodeScalars {
            doubled.unicodeScalars.append(scalar)
            if scalar == "$" { doubled.unicodeScalars.append(scalar) }
        }
        return doubled
    }

    func append(_ property: UnitProperty) throws(SystemdError) {
        try container("r", "sv") { () throws(SystemdError) in
            try append(property.name)
            switch property {
            case .text(_, let text):
                try container("v", "s") { () throws(SystemdError) in try append(text) }
            case .flag(_, let flag):
                try container("v", "b") { () throws(SystemdError) in try append(flag) }
            case .number(_, let number):
                try container("v", "t") { () throws(SystemdError) in try append(number) }
            case .texts(_, let texts):
                try container("v", "as") { () throws(SystemdError) in try append(texts) }
            case .execute(let path, let arguments):
                try container("v", "a(sasb)") { () throws(SystemdError) in
                    try container("a", "(sasb)") { () throws(SystemdError) in
                        try container("r", "sasb") { () throws(SystemdError) in
                            try append(path)
                            // Over the bus, too, `$VAR` is expanded, and `$$` is a dollar.
                            try append(arguments.map(Self.doublingDollars))
                            try append(false)
                        }
                    }
                }
            case .environmentFile(let path):
                try container("v", "a(sb)") { () throws(SystemdError) in
                    try container("a", "(sb)") { () throws(SystemdError) in
                        try container("r", "sb") { () throws(SystemdError) in
                            try append(path)
                            try append(false)
                        }
                    }
                }
            }
        }
    }

    // MARK: - Reading

    /// The next text or object path, or `nil` at the end of the container.
    func readText(_ kind: String = "s") -> String? {
        var text: UnsafePointer<CChar>?
        guard sd_bus_message_read_basic(pointer, type(kind), &text) > 0, let text else { return nil }
        return String(cString: text)
    }

    func readUInt32() -> UInt32 {
        var value: UInt32 = 0
        return sd_bus_message_read_basic(pointer, type("u"), &value) > 0 ? value : 0
    }

    func readInt32() -> Int32 {
        var value: Int32 = 0
        return sd_bus_message_read_basic(pointer, type("i"), &value) > 0 ? value : 0
    }

    func readTexts() -> [String] {
        guard enter("a", "s") else { return [] }
        defer { leave() }
        var texts: [String] = []
        while let text = readText() { texts.append(text) }
        return texts
    }

    func readBytes() -> [UInt8] {
        var bytes: UnsafeRawPointer?
        var count = 0
        guard sd_bus_message_read_array(pointer, type("y"), &bytes, &count) > 0, let bytes else { return [] }
        return Array(UnsafeRawBufferPointer(start: bytes, count: count))
    }

    func enter(_ kind: String, _ contents: String) -> Bool {
        sd_bus_message_enter_container(pointer, type(kind), contents) > 0
    }

    func leave() { sd_bus_message_exit_container(pointer) }

    private func type(_ letter: String) -> CChar { CChar(letter.utf8.first ?? 0) }

    private func check(_ result: Int32) throws(SystemdError) {
        if result < 0 { throw SystemdError(result, "a message can't be written") }
    }
}
