// SPDX-License-Identifier: MIT

/// What a session id of the gateway says to the gateway: where the session lives.
public struct SessionBinding: Hashable, Sendable {
    /// Which transport the session speaks.
    public enum Kind: UInt8, Hashable, Sendable {
        /// Streamable HTTP: ``upstream`` is the server's `Mcp-Session-Id`.
        case streamable = 1
        /// HTTP+SSE: ``upstream`` is the path and query that messages are posted to.
        case eventStream = 2
    }

    /// How many bytes ``upstream`` may have.
    public static let maximumUpstreamLength = 4096

    /// The transport.
    public let kind: Kind
    /// The ordinal of the instance.
    public let ordinal: UInt32
    /// The life of the instance that knows the session.
    public let incarnation: IncarnationDigest
    /// The server's own id, or its target for messages: opaque bytes.
    public let upstream: [UInt8]

    /// A binding, or `nil` where `upstream` is empty, too long, or has bytes outside of 0x21...0x7E, which a server
    /// must not send and a client could not send back.
    public init?(kind: Kind, ordinal: UInt32, incarnation: IncarnationDigest, upstream: [UInt8]) {
        guard (1...Self.maximumUpstreamLength).contains(upstream.count),
            upstream.allSatisfy({ (0x21...0x7E).contains($0) })
        else { return nil }
        self.kind = kind
        self.ordinal = ordinal
        self.incarnation = incarnation
        self.upstream = upstream
    }
}

/// 128 bits that stand for an incarnation, whose text may be long.
public struct IncarnationDigest: Hashable, Sendable {
    /// How many bytes the digest has.
    static let byteCount = 16

    let value: UInt128

    /// The digest of an incarnation's text.
    ///
    /// Costs one SHA-256: make it when the snapshot changes, not per request.
    public init(_ incarnation: String) {
        value = SessionCipher.digest(Array("mcp-gateway incarnation\u{0}\(incarnation)".utf8))
    }

    init(value: UInt128) {
        self.value = value
    }
}

/// A session id that was opened.
public struct OpenedSession: Hashable, Sendable {
    /// Where the session lives.
    public let binding: SessionBinding
    /// 128 bits that stand for the session id wherever the id itself must not be kept: registries, logs, lists.
    public let fingerprint: SessionFingerprint

    /// A session whose id is known: it was opened, or sealed just now.
    public init(binding: SessionBinding, fingerprint: SessionFingerprint) {
        self.binding = binding
        self.fingerprint = fingerprint
    }
}

/// 128 bits that stand for a session id and don't give it away.
public struct SessionFingerprint: Hashable, Sendable, CustomStringConvertible {
    /// The bits.
    public let value: UInt128

    /// The fingerprint with the bits `value`.
    public init(value: UInt128) {
        self.value = value
    }

    /// The fingerprint that is written as 32 lower-case hexadecimal digits, or `nil`.
    public init?(_ text: String) {
        guard text.utf8.count == 32, text.utf8.allSatisfy({ $0.isDigit || (0x61...0x66).contains($0) }),
            let value = UInt128(text, radix: 16)
        else { return nil }
        self.value = value
    }

    /// 32 hexadecimal digits.
    public var description: String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 32 - digits.utf8.count) + digits
    }
}
