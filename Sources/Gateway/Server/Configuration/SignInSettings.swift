// SPDX-License-Identifier: MIT

internal import Identity
internal import Model
internal import OAuth

/// What can be set of signing in with tokens, checked.
public struct SignInSettings: Hashable, Sendable {
    /// Who issues tokens.
    public var issuer: String
    /// The URL that clients know the gateway by, without a path; lower case.
    public var publicURL: String
    /// Names of the gateway in tokens, besides its URLs.
    public var audiences: [String]
    /// The scopes of which each is needed.
    public var scopes: [String]
    /// Where the roles stand in a token.
    public var rolesClaim: [String]
    /// Roles of which one is needed to create and to change adapters.
    public var deployRoles: Set<String>

    /// Reads the settings; `nil` where none was given.
    init?(_ reader: inout SettingReader, url standardURL: String?) {
        let issuer = reader.value("oidc.issuer", default: nil) { Self.isIssuer($0) ? .some($0) : nil }
        let publicURL = reader.value("listen.publicUrl", default: nil) { text in
            Self.origin(text).map(Optional.some)
        }
        audiences = reader.value("oidc.audiences", default: []) { text in Quantities.list(text) { !$0.contains(" ") } }
        scopes = reader.value("oidc.scopes", default: []) { text in Quantities.list(text, where: Self.isScope) }
        rolesClaim = reader.value("oidc.rolesClaim", default: ["roles"]) { text in
            // A claim whose name is a URL has dots that part nothing.
            if text.contains("://") { return [text] }
            let names = text.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
            return names.allSatisfy { !$0.isEmpty } ? names : nil
        }
        deployRoles = Set(
            reader.value("oidc.deployRoles", default: [Principal.administratorRole]) { text in
                Quantities.list(text) { !$0.isEmpty }
            })
        guard let issuer else { return nil }
        self.issuer = issuer
        guard let url = publicURL ?? standardURL else {
            reader.fault(
                "oidc.issuer", value: issuer,
                rule: "with sign-in listen.publicUrl is needed, the URL that clients know the gateway by")
            return nil
        }
        self.publicURL = url
    }

    /// What is protected, as clients are told.
    var resources: ProtectedResources {
        ProtectedResources(publicURL: publicURL, issuer: issuer, audiences: audiences, scopes: scopes)
    }

    /// What tokens have to say.
    var rules: TokenRules { TokenRules(issuer: issuer, scopes: scopes, rolesClaim: rolesClaim) }

    /// `https`, or `http` on this machine, without a query, a fragment or white space (RFC 8414 §2).
    private static func isIssuer(_ text: String) -> Bool {
        guard let url = URLParts(text) else { return false }
        return url.isProtected && !text.contains { "?#\" ".contains($0) }
    }

    /// `text` in lower case, if it is a scheme, a host and perhaps a port.
    private static func origin(_ text: String) -> String? {
        guard let url = URLParts(text.lowercased()), url.isProtected, url.path.isEmpty || url.path == "/" else {
            return nil
        }
        return "\(url.scheme)://\(url.authority)"
    }

    /// Visible characters but `"` and `\` (RFC 6749 §3.3).
    private static func isScope(_ text: String) -> Bool {
        text.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != 0x22 && $0 != 0x5C }
    }
}

/// The parts of a URL.
private struct URLParts {
    let scheme: String
    let authority: String
    let path: String

    init?(_ text: String) {
        guard let scheme = ["https", "http"].first(where: { text.hasPrefix("\($0)://") }) else { return nil }
        let rest = text.dropFirst(scheme.count + 3)
        let end = rest.firstIndex(of: "/") ?? rest.endIndex
        self.scheme = scheme
        authority = String(rest[..<end])
        path = String(rest[end...])
        guard !authority.isEmpty,
            authority.utf8.allSatisfy({ (0x21...0x7E).contains($0) && !"@?#\"\\<>".utf8.contains($0) })
        else { return nil }
    }

    /// Whether tokens may travel there: encrypted, or without leaving this machine.
    var isProtected: Bool {
        if scheme == "https" { return true }
        let host = authority.hasPrefix("[") ? authority.prefix { $0 != "]" } + "]" : authority.prefix { $0 != ":" }
        return host == "localhost" || host == "[::1]" || Quantities.isLoopbackIPv4(String(host))
    }
}
