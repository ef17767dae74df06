// SPDX-License-Identifier: MIT

/// Keeps web pages away from a bridge on a TCP port (MCP, Streamable HTTP, security warning: DNS rebinding).
///
/// A page that a browser loaded from elsewhere either says so in `Origin`, or got its own name to point at this
/// machine and says so in `Host`.
struct OriginPolicy: Equatable {
    /// Why a request is refused.
    enum Refusal: Equatable {
        /// 403.
        case origin
        /// 421.
        case host
    }

    /// Origins that are allowed besides those of this machine.
    let allowedOrigins: Set<String>
    /// Whether `Host` must name this machine: true on a loopback address.
    let checksHost: Bool

    /// What is wrong with a request that has these header fields; `nil` when nothing is.
    func refusal(origins: [String], hosts: [String]) -> Refusal? {
        if checksHost {
            guard hosts.count == 1, let host = hosts.first, Self.isLocal(authority: host) else { return .host }
        }
        for origin in origins where !isAllowed(origin) { return .origin }
        return nil
    }

    private func isAllowed(_ origin: String) -> Bool {
        if allowedOrigins.contains(origin) { return true }
        for scheme in ["http://", "https://"] where origin.hasPrefix(scheme) {
            return Self.isLocal(authority: String(origin.dropFirst(scheme.count)))
        }
        return false
    }

    /// Whether `host[:port]` names this machine.
    static func isLocal(authority: String) -> Bool {
        for name in ["localhost", "127.0.0.1", "[::1]"] {
            guard authority.lowercased().hasPrefix(name) else { continue }
            let rest = authority.dropFirst(name.count)
            if rest.isEmpty { return true }
            if rest.first == ":", UInt16(rest.dropFirst()) != nil { return true }
        }
        return false
    }
}
