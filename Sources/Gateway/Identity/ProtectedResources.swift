// SPDX-License-Identifier: MIT

/// What this gateway protects, and what it says about that (RFC 9728, RFC 6750; MCP authorization).
///
/// An adapter is a resource of its own, since clients refuse metadata whose `resource` is not the URL that they use. A token
/// for the whole gateway is good for every adapter too; one for an adapter is good for that adapter only.
public struct ProtectedResources: Sendable {
    /// Where metadata stands; the path of the resource follows (RFC 9728 §3.1).
    public static let metadataPath = "/.well-known/oauth-protected-resource"

    /// The URL that clients know the gateway by: a scheme, a host and perhaps a port, in lower case.
    ///
    /// Never taken from a request: who could choose it could choose which tokens are good.
    public let publicURL: String
    /// Who issues tokens.
    public let issuer: String
    /// Names of the gateway as a whole besides ``publicURL``, for issuers that don't know resource indicators.
    public let audiences: [String]
    /// The scopes of which each is needed.
    public let scopes: [String]

    /// Describes what is protected.
    public init(publicURL: String, issuer: String, audiences: [String] = [], scopes: [String] = []) {
        self.publicURL = publicURL
        self.issuer = issuer
        self.audiences = audiences
        self.scopes = scopes
    }

    /// The URL of `resource`, as tokens and metadata name it (RFC 8707 §2).
    public func url(of resource: ProtectedResource) -> String { publicURL + resource.path }

    /// Whether what `identity` was issued for is the gateway as a whole.
    public func isGatewayWide(_ identity: Identity) -> Bool {
        identity.audiences.contains { $0 == publicURL || $0 == publicURL + "/" || audiences.contains($0) }
    }

    /// Whether what `identity` was issued for is, or has in it, the adapter called `name`, by any of its URLs.
    public func isGood(_ identity: Identity, forAdapter name: String) -> Bool {
        isGatewayWide(identity)
            || ProtectedResource.Endpoint.allCases.contains { endpoint in
                identity.audiences.contains(url(of: .adapter(name, endpoint: endpoint)))
            }
    }

    /// The value of `WWW-Authenticate` with which a request for `resource` is refused (RFC 6750 §3, RFC 9728 §5.1).
    ///
    /// All scopes stand in one challenge, so that one consent is enough.
    public func challenge(_ error: AuthenticationError, for resource: ProtectedResource) -> String {
        var parameters: [String] = []
        switch error {
        case .invalid(let text):
            parameters = ["error=\"invalid_token\"", "error_description=\"\(text)\""]
        case .insufficientScope:
            parameters = [
                "error=\"insufficient_scope\"", "error_description=\"the token lacks a scope that is needed\"",
            ]
        case .missing, .undecided, .unavailable: break
        }
        parameters.append("resource_metadata=\"\(publicURL)\(Self.metadataPath)\(resource.path)\"")
        if !scopes.isEmpty { parameters.append("scope=\"\(scopes.joined(separator: " "))\"") }
        return "Bearer " + parameters.joined(separator: ", ")
    }
}
