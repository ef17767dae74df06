// SPDX-License-Identifier: MIT

/// A request to send.
public struct CurlRequest: Sendable {
    /// The method: `GET`, `PATCH`.
    public var method: String
    /// An absolute `http` or `https` URL, encoded.
    public var url: String
    /// Names and values, without line breaks.
    public var headers: [(name: String, value: String)]
    /// The body; `nil` sends none.
    public var body: [UInt8]?
    /// Who is trusted, and who we are.
    public var trust: CurlTrust
    /// How long things may take.
    public var deadlines: CurlDeadlines
    /// How many bytes of the answer's body are held for a reader that is slow, before the other side is made to wait; one
    /// piece as it arrives may go beyond.
    public var bufferBytes: Int

    /// Describes a request.
    public init(
        _ method: String, _ url: String, headers: [(name: String, value: String)] = [], body: [UInt8]? = nil,
        trust: CurlTrust = CurlTrust(), deadlines: CurlDeadlines = CurlDeadlines(), bufferBytes: Int = 256 << 10
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.trust = trust
        self.deadlines = deadlines
        self.bufferBytes = bufferBytes
    }
}

/// How long the parts of a request may take.
public struct CurlDeadlines: Hashable, Sendable {
    /// To connect, TLS included.
    public var connect: Duration
    /// Until the head of the answer is there.
    public var head: Duration
    /// Until all of the answer is there; `nil` for streams that go on.
    public var total: Duration?

    /// Describes deadlines.
    public init(connect: Duration = .seconds(5), head: Duration = .seconds(30), total: Duration? = .seconds(30)) {
        self.connect = connect
        self.head = head
        self.total = total
    }
}

/// Who is trusted on a TLS connection, and who we are there.
///
/// The other side's certificate and name are always verified; there is no switch for that.
public struct CurlTrust: Hashable, Sendable {
    /// Certificates of authorities (PEM); `nil` takes those of the system.
    public var authorities: [UInt8]?
    /// Our certificate and key (PEM), for servers that ask for one.
    public var identity: Identity?

    /// A certificate and its key.
    public struct Identity: Hashable, Sendable, CustomStringConvertible {
        /// The certificate, with the chain above it (PEM).
        public var certificate: [UInt8]
        /// The key (PEM), without a passphrase.
        public var key: [UInt8]

        /// Puts the two together.
        public init(certificate: [UInt8], key: [UInt8]) {
            self.certificate = certificate
            self.key = key
        }

        /// The text form, which shows nothing.
        public var description: String { "***" }
    }

    /// Describes trust.
    public init(authorities: [UInt8]? = nil, identity: Identity? = nil) {
        self.authorities = authorities
        self.identity = identity
    }
}
