// SPDX-License-Identifier: MIT

/// The secrets that session ids are sealed with: the first seals, all open.
///
/// Never empty.
///
/// Every gateway that serves the same clients has the same ring. To change the key without losing a session: add the
/// new key at the end everywhere, then put it first everywhere, then remove the old one when its sessions are over.
public struct SessionKeyRing: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// How many keys a ring may have.
    public static let maximumCount = 16

    let ciphers: [SessionCipher]
    private let secrets: [[UInt8]]

    private init(secrets: [[UInt8]]) {
        precondition(!secrets.isEmpty, "a key ring has at least one key")
        self.secrets = secrets
        ciphers = secrets.map(SessionCipher.init(secret:))
    }

    /// A ring with one new random key.
    public static func generate() -> SessionKeyRing {
        // The system's generator is getrandom(2): cryptographically secure.
        var generator = SystemRandomNumberGenerator()
        return SessionKeyRing(secrets: [
            (0..<SessionCipher.secretLength).map { _ in .random(in: 0...255, using: &generator) }
        ])
    }

    /// Reads a key file: one key of 32 bytes a line, as 64 hexadecimal digits or in base64, with or without a name
    /// and a colon before it; `#` begins a comment.
    ///
    /// Names are for people: two gateways may call one key differently.
    public init(parsing text: String) throws(SessionKeyRingError) {
        var secrets: [[UInt8]] = []
        // Split by bytes: a carriage return and a line feed are one Character.
        let lines = text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() {
            let content = Self.trim(line.prefix { $0 != UInt8(ascii: "#") })
            if content.isEmpty { continue }
            guard let secret = Self.secret(content) else { throw .malformedKey(line: index + 1) }
            guard !secrets.contains(secret) else { throw .repeatedKey(line: index + 1) }
            guard secrets.count < Self.maximumCount else { throw .tooManyKeys }
            secrets.append(secret)
        }
        guard !secrets.isEmpty else { throw .noKey }
        self.init(secrets: secrets)
    }

    /// The text of a key file with the keys of this ring.
    ///
    /// A secret: it goes to a file of mode 0600 and nowhere else.
    public var secretText: String {
        secrets.map { secret in
            secret.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() + "\n"
        }.joined()
    }

    /// How many keys there are.
    public var count: Int { ciphers.count }

    var sealing: SessionCipher { ciphers[0] }

    /// How many keys there are, and nothing about them.
    public var description: String { "SessionKeyRing(\(count) keys, redacted)" }
    /// The same as ``description``.
    public var debugDescription: String { description }
    /// Shows nothing of the keys either, so that `dump` does not.
    public var customMirror: Mirror { Mirror(self, children: ["count": count]) }

    private static func trim(_ line: Substring.UTF8View.SubSequence) -> Substring.UTF8View.SubSequence {
        var line = line
        let isSpace: (UInt8) -> Bool = { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }
        while let first = line.first, isSpace(first) { line.removeFirst() }
        while let last = line.last, isSpace(last) { line.removeLast() }
        return line
    }

    private static func secret(_ content: Substring.UTF8View.SubSequence) -> [UInt8]? {
        var key = content
        if let colon = content.firstIndex(of: UInt8(ascii: ":")) {
            let name = content[..<colon]
            guard (1...64).contains(name.count), name.allSatisfy(isNameCharacter) else { return nil }
            key = trim(content[content.index(after: colon)...])
        }
        let secret = hexadecimal(key) ?? Base64.decode(key, .standard)
        return secret?.count == SessionCipher.secretLength ? secret : nil
    }

    private static func isNameCharacter(_ byte: UInt8) -> Bool {
        byte.isDigit || (0x61...0x7A).contains(byte.lowercasedASCII) || byte == UInt8(ascii: "-")
            || byte == UInt8(ascii: "_") || byte == UInt8(ascii: ".")
    }

    private static func hexadecimal(_ text: some Collection<UInt8>) -> [UInt8]? {
        guard text.count == SessionCipher.secretLength * 2 else { return nil }
        var bytes: [UInt8] = []
        var high: UInt8?
        for character in text {
            let digit: UInt8
            switch character.lowercasedASCII {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = character - 0x30
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = character.lowercasedASCII - 0x57
            default: return nil
            }
            if let first = high {
                bytes.append(first << 4 | digit)
                high = nil
            } else {
                high = digit
            }
        }
        return bytes
    }
}

/// Why a text is no key file.
///
/// Says nothing of the keys.
public enum SessionKeyRingError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A line is neither empty nor a key; lines count from 1.
    case malformedKey(line: Int)
    /// A line repeats the key of another.
    case repeatedKey(line: Int)
    /// There are more keys than a ring may have.
    case tooManyKeys
    /// There is no key.
    case noKey

    /// What is wrong, for the person who wrote the file.
    public var description: String {
        switch self {
        case .malformedKey(let line):
            "line \(line) is not a session key: 32 bytes, as 64 hexadecimal digits or in base64"
        case .repeatedKey(let line): "line \(line) repeats a session key"
        case .tooManyKeys: "there are more than \(SessionKeyRing.maximumCount) session keys"
        case .noKey: "there is no session key"
        }
    }
}
