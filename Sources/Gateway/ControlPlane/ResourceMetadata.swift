// SPDX-License-Identifier: MIT

internal import HTTP
internal import Identity
internal import JSON
internal import Model

/// What clients have to know to get a token for the gateway or an adapter (RFC 9728 §2; MCP authorization).
///
/// Told for every name that an adapter could have: strangers must not find out so which ones there are.
struct ResourceMetadata {
    let resources: ProtectedResources?

    func show(_ resource: ProtectedResource) throws(Problem) -> HTTPResponse {
        guard let resources else {
            throw Problem(.routeNotFound, "no tokens are needed here: sign-in is not set up")
        }
        if case .adapter(let name, _) = resource, AdapterName(name) == nil { throw .noSuchAdapter }
        var document: JSONObject = [
            "resource": .string(resources.url(of: resource)),
            "authorization_servers": [.string(resources.issuer)],
            "bearer_methods_supported": ["header"],
        ]
        if !resources.scopes.isEmpty { document.set("scopes_supported", .strings(resources.scopes)) }
        return .json(200, document, headers: ["Cache-Control": "max-age=300"])
    }
}

extension Problem {
    /// A request that is not let in.
    init(_ error: AuthenticationError, _ resources: ProtectedResources?) {
        switch error {
        case .missing:
            self.init(.unauthenticated, "a token is needed; the header WWW-Authenticate says where to get one")
        case .invalid(let text): self.init(.unauthenticated, text.description)
        case .insufficientScope: self.init(.forbidden, "the token lacks a scope that is needed")
        case .undecided, .unavailable:
            self.init(.unavailable, "tokens can't be checked, since the keys of their issuer can't be fetched")
        }
        if let resources, code != .unavailable {
            headers.set("WWW-Authenticate", resources.challenge(error, for: .gateway))
        }
    }
}
