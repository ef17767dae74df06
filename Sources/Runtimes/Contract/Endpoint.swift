// SPDX-License-Identifier: MIT

/// Where an instance answers HTTP.
public enum Endpoint: Hashable, Sendable, CustomStringConvertible {
    /// An IP address or host name, and a port in 1...65535.
    case tcp(host: String, port: UInt16)
    /// The same, encrypted with TLS; the certificate has to be one for `name`.
    case tls(host: String, port: UInt16, name: String)
    /// The absolute path of a Unix stream socket, at most 107 bytes (`sun_path`, unix(7)).
    case unix(path: String)

    /// The text form.
    public var description: String {
        switch self {
        case .tcp(let host, let port), .tls(let host, let port, _):
            host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }
}
