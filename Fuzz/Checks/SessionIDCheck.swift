// SPDX-License-Identifier: MIT

#if canImport(MCPProtocol)
@testable import MCPProtocol
#endif

/// What must hold of a session id and of a key file, whatever their bytes are.
enum SessionIDCheck {
    private static let seal = SessionSeal(SessionKeyRing.generate())

    /// What does not hold of `input`, or `nil`.
    static func violation(of input: [UInt8]) -> String? {
        if let opened = seal.open(input, adapter: "a", principal: "p") {
            guard seal.seal(opened.binding, adapter: "a", principal: "p") == input else {
                return "two session ids open to one binding"
            }
            guard seal.open(input, adapter: "a", principal: "q") == nil else { return "a foreign session id opens" }
        }
        if let binding = SessionBinding(
            kind: .streamable, ordinal: 3, incarnation: IncarnationDigest("i"), upstream: input)
        {
            guard let id = seal.seal(binding, adapter: "a", principal: "p"),
                seal.open(id, adapter: "a", principal: "p")?.binding == binding
            else { return "a session id does not open to what was sealed" }
        }
        let text = String(decoding: input, as: UTF8.self)
        if let ring = try? SessionKeyRing(parsing: text) {
            guard let again = try? SessionKeyRing(parsing: ring.secretText), again.secretText == ring.secretText else {
                return "a key file does not survive being written"
            }
        }
        for alphabet in [Base64.Alphabet.standard, .url] {
            if let bytes = Base64.decode(input, alphabet), Base64.encode(bytes, alphabet) != input {
                return "two texts of base 64 stand for the same bytes"
            }
            guard Base64.decode(Base64.encode(input, alphabet), alphabet) == input else {
                return "base 64 does not read back"
            }
        }
        return nil
    }
}
