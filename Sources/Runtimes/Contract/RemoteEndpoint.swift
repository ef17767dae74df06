// SPDX-License-Identifier: MIT

/// A server that somebody else runs and that is reached over HTTP.
public struct RemoteEndpoint: Hashable, Sendable, CustomStringConvertible {
    /// A host name or an IP address, an IPv6 address without brackets.
    public var host: String
    /// The port, 1...65535.
    public var port: UInt16
    /// Whether it is reached over TLS, with a certificate for ``host``.
    public var isEncrypted: Bool

    /// Names a server.
    public init(host: String, port: UInt16, isEncrypted: Bool = false) {
        self.host = host
        self.port = port
        self.isEncrypted = isEncrypted
    }

    /// What requests say in `Host` (RFC 9110 §7.2): the port only where it is not that of the scheme.
    public var authority: String {
        let name = host.contains(":") ? "[\(host)]" : host
        return port == (isEncrypted ? 443 : 80) ? name : "\(name):\(port)"
    }

    /// The text form.
    public var description: String { authority }
}
