// SPDX-License-Identifier: MIT

/// Makes random JSON-RPC messages, the same for the same seed: any member may be missing, of any type, escaped in any
/// way, in any order, with any white space around it.
struct MessageGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    /// SplitMix64.
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = (state ^ state >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }

    mutating func message() -> String {
        var members: [(String, String)] = []
        let isLikely: (inout MessageGenerator, Int) -> Bool = { Int.random(in: 0..<10, using: &$0) < $1 }
        if isLikely(&self, 9) { members.append(("jsonrpc", isLikely(&self, 9) ? "\"2.0\"" : value(depth: 2))) }
        if isLikely(&self, 7) { members.append(("id", scalar())) }
        if isLikely(&self, 8) { members.append(("method", isLikely(&self, 9) ? string() : value(depth: 2))) }
        if isLikely(&self, 7) { members.append(("params", isLikely(&self, 9) ? params() : value(depth: 2))) }
        if isLikely(&self, 2) { members.append(("result", isLikely(&self, 7) ? result() : value(depth: 2))) }
        if isLikely(&self, 2) { members.append(("error", value(depth: 2))) }
        if isLikely(&self, 3) { members.append(("extra", value(depth: 4))) }
        return space() + object(members) + space()
    }

    private mutating func params() -> String {
        var members: [(String, String)] = []
        for name in ["name", "uri", "taskId", "requestId", "progressToken", "protocolVersion"]
        where Bool.random(using: &self) {
            members.append((name, scalar()))
        }
        if Bool.random(using: &self) { members.append(("arguments", value(depth: 4))) }
        if Bool.random(using: &self) { members.append(("_meta", meta())) }
        return object(members)
    }

    private mutating func result() -> String {
        var members = [("content", value(depth: 3))]
        if Bool.random(using: &self) { members.append(("protocolVersion", scalar())) }
        if Bool.random(using: &self) { members.append(("_meta", meta())) }
        return object(members)
    }

    private mutating func meta() -> String {
        var members: [(String, String)] = []
        for name in ["protocolVersion", "clientCapabilities", "subscriptionId"] where Bool.random(using: &self) {
            members.append(("io.modelcontextprotocol/\(name)", value(depth: 1)))
        }
        if Bool.random(using: &self) { members.append(("progressToken", scalar())) }
        return object(members)
    }

    private mutating func object(_ members: [(String, String)]) -> String {
        let written = members.shuffled(using: &self).map { name, value in
            quoted(name) + space() + ":" + space() + value
        }
        return "{" + space() + written.joined(separator: space() + "," + space()) + space() + "}"
    }

    mutating func value(depth: Int) -> String {
        guard depth > 0 else { return scalar() }
        switch Int.random(in: 0..<4, using: &self) {
        case 0:
            let items = (0..<Int.random(in: 0..<4, using: &self)).map { _ in value(depth: depth - 1) }
            return "[" + space() + items.joined(separator: space() + "," + space()) + space() + "]"
        case 1:
            // Names that would matter elsewhere, to see that they don't matter here.
            let names = ["id", "method", "name", "_meta", "params", "k\(Int.random(in: 0..<9, using: &self))"].shuffled(
                using: &self)
            return object(names.prefix(Int.random(in: 0..<4, using: &self)).map { ($0, value(depth: depth - 1)) })
        default: return scalar()
        }
    }

    private mutating func scalar() -> String {
        switch Int.random(in: 0..<8, using: &self) {
        case 0: "null"
        case 1: Bool.random(using: &self) ? "true" : "false"
        case 2:
            ["0", "-0", "1e2", "1E-2", "-1.25e+1", "0.0", "120", "9007199254740993"].randomElement(using: &self) ?? "0"
        case 3: String(Int.random(in: -999...999, using: &self))
        default: string()
        }
    }

    private mutating func string() -> String {
        let words = [
            "tools/call", "add", "é€😀", "a b", "\"\\/", "\u{7F}", "\t\n", "2026-07-28",
            "long enough for several words of eight bytes", "",
        ]
        return quoted(
            (0..<Int.random(in: 0..<3, using: &self)).map { _ in words.randomElement(using: &self) ?? "" }.joined())
    }

    /// A JSON string of `text` with some of its characters escaped that need not be.
    private mutating func quoted(_ text: String) -> String {
        var output = "\""
        for character in text.unicodeScalars {
            let mustEscape = character.value < 0x20 || character == "\"" || character == "\\"
            guard mustEscape || Int.random(in: 0..<10, using: &self) == 0 else {
                output.unicodeScalars.append(character)
                continue
            }
            if character == "\n" || character == "\t" || character == "\"" || character == "\\" || character == "/",
                Bool.random(using: &self)
            {
                output +=
                    ["\n": "\\n", "\t": "\\t", "\"": "\\\"", "\\": "\\\\", "/": "\\/"][Character(character)] ?? ""
            } else {
                for unit in String(character).utf16 {
                    let digits = String(unit, radix: 16, uppercase: Bool.random(using: &self))
                    output += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
                }
            }
        }
        return output + "\""
    }

    private mutating func space() -> String {
        Int.random(in: 0..<4, using: &self) == 0 ? [" ", "\n", "\r\n\t", "  "].randomElement(using: &self) ?? "" : ""
    }
}
