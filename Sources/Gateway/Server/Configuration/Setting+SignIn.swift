// SPDX-License-Identifier: MIT

extension Setting {
    /// Signing in with tokens.
    static let signIn: [Setting] = [
        Setting(
            key: "listen.publicUrl", standard: "the address that is listened on, if it is a loopback one",
            rule: "a URL without a path, https, or http on a loopback address",
            purpose: "The URL that clients know the gateway by: what tokens are issued for."),
        Setting(
            key: "oidc.issuer", standard: "none: nobody has to sign in",
            rule: "a URL, https, or http on a loopback address",
            purpose: """
                Who issues the tokens that are needed for the API and for every adapter: JSON Web Tokens, of an OpenID \
                provider or OAuth authorization server that says at its well-known address where its keys are.
                """),
        Setting(
            key: "oidc.audiences", standard: "none", rule: "names, separated by commas",
            purpose: """
                What tokens may be issued for besides the gateway's URL and those of its adapters, for issuers that know no \
                resource indicators; such tokens are good for everything.
                """),
        Setting(
            key: "oidc.scopes", standard: "none", rule: "scopes, separated by commas",
            purpose: "The scopes that a token needs, each of them; clients are told to ask for them."),
        Setting(
            key: "oidc.rolesClaim", standard: "roles", rule: "the name of a claim, or several joined by dots",
            purpose: "Where a token has the roles of its owner, as in realm_access.roles."),
        Setting(
            key: "oidc.deployRoles", standard: "mcp.admin", rule: "roles, separated by commas",
            purpose: """
                Roles of which one is needed to create and to change adapters, which is to run programs; mcp.admin may do \
                everything.
                """),
    ]
}
