// SPDX-License-Identifier: MIT

/// The name of a legacy session, as the client sends it in `Mcp-Session-Id`: 192 random bits in hexadecimal.
///
/// It routes; it proves nothing about who asks (MCP, security best practices).
struct SessionID: Hashable, Sendable {
    /// The text in the header; visible ASCII.
    let text: String

    /// An id that nobody has seen before, from the kernel's random numbers.
    static func mint() -> SessionID {
        var random = SystemRandomNumberGenerator()
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        for _ in 0..<3 {
            var word: UInt64 = random.next()
            for _ in 0..<16 {
                text.append(digits[Int(word & 0xF)])
                word >>= 4
            }
        }
        return SessionID(text: String(decoding: text, as: UTF8.self))
    }
}
