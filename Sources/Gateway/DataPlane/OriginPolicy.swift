// SPDX-License-Identifier: MIT

/// Which `Host` and `Origin` headers are served: the protection against DNS rebinding, where a web page makes a browser
/// talk to a server on the user's own machine (streamable HTTP, security warning).
public struct OriginPolicy: Hashable, Sendable {
    /// Whether `Host` must be a loopback name or one of ``allowedHosts``: on for listeners on a loopback address.
    public var checksHost: Bool
    /// Names besides loopback ones, lower case, without port.
    public var allowedHosts: Set<String>
    /// Origins besides loopback ones, lower case: `https://example.com`.
    public var allowedOrigins: Set<String>

    /// A policy.
    public init(checksHost: Bool, allowedHosts: Set<String> = [], allowedOrigins: Set<String> = []) {
        self.checksHost = checksHost
        self.allowedHosts = allowedHosts
        self.allowedOrigins = allowedOrigins
    }

    /// Whether requests for the host in `value` are served.
    func allows(host value: String) -> Bool {
        guard checksHost else { return true }
        let name = Self.withoutPort(value.lowercased())
        return Self.isLoopback(name) || allowedHosts.contains(name)
    }

    /// Whether requests from the origin in `value` are served.
    func allows(origin value: String) -> Bool {
        let origin = value.lowercased()
        if allowedOrigins.contains(origin) { return true }
        for scheme in ["http://", "https://"] where origin.hasPrefix(scheme) {
            return Self.isLoopback(Self.withoutPort(origin.dropFirst(scheme.count)))
        }
        return false
    }

    private static func withoutPort(_ text: some StringProtocol) -> String {
        if text.hasPrefix("[") { return String(text.prefix { $0 != "]" }) + "]" }
        return String(text.prefix { $0 != ":" })
    }

    /// `localhost`, names below it (RFC 6761 §6.3) and loopback addresses.
    private static func isLoopback(_ name: String) -> Bool {
        if name == "localhost" || name.hasSuffix(".localhost") || name == "[::1]" { return true }
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }
}
