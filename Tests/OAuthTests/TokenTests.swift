// SPDX-License-Identifier: MIT

import Identity
import JSON
import MCPProtocol
import Model
import Testing

@testable import OAuth

@Suite("Tokens")
struct TokenTests {
    private let rules = TokenRules(issuer: "https://issuer", scopes: ["a", "b"], rolesClaim: ["realm", "roles"])

    private func claims(_ changes: KeyValuePairs<String, JSONValue?> = [:]) -> JSONValue {
        var object: JSONObject = ["iss": "https://issuer", "sub": "ada", "exp": 2000, "aud": "x", "scope": "b a"]
        for (name, value) in changes {
            if let value {
                object.set(name, value)
            } else {
                object = JSONObject(object.members.filter { $0.name != name })
            }
        }
        return .object(object)
    }

    @Test("who somebody is follows from issuer and subject, and roles stand where the rules say")
    func principal() throws {
        let identity = try rules.identity(claims(["realm": ["roles": ["r", "s"]]]), now: 1000)
        #expect(identity.principal.id == "https://issuer#ada")
        #expect(identity.principal.roles == ["r", "s"])
        #expect(identity.audiences == ["x"])
        #expect(identity.hasScopes)
    }

    @Test(
        "scopes may be words in a text or an array, in either of two claims",
        arguments: [["scope": "a b"], ["scp": ["a", "b"]], ["scp": "b a c"], ["scope": "a", "scp": "b"]] as [JSONObject]
    )
    func scopes(_ given: JSONObject) throws {
        var object: JSONObject = ["iss": "https://issuer", "sub": "ada", "exp": 2000]
        for member in given.members { object.set(member.name, member.value) }
        #expect(try rules.identity(.object(object), now: 1000).hasScopes)
        object.set("scope", "a")
        object.set("scp", "aa bb")
        #expect(try !rules.identity(.object(object), now: 1000).hasScopes)
    }

    @Test("clocks may differ by a minute, and not by more")
    func leeway() throws {
        #expect(try rules.identity(claims(), now: 2059).expiry == 2060)
        #expect(throws: AuthenticationError.self) { try rules.identity(claims(), now: 2060) }
        #expect(throws: Never.self) { try rules.identity(claims(["nbf": 1060]), now: 1000) }
        #expect(throws: AuthenticationError.self) { try rules.identity(claims(["nbf": 1061]), now: 1000) }
    }

    @Test("a time may have a fraction, and must be a number that there can be")
    func times() throws {
        #expect(try rules.identity(claims(["exp": .number(2000.9)]), now: 1000).expiry == 2060)
        #expect(try rules.identity(claims(["exp": .integer(.max)]), now: 1000).expiry == .max)
        for wrong in ["2000", nil, .number(1e300), .bool(true), .array([2000])] as [JSONValue?] {
            #expect(throws: AuthenticationError.self, "\(String(describing: wrong))") {
                try rules.identity(claims(["exp": wrong]), now: 1000)
            }
        }
    }

    @Test("audiences are one name or several")
    func audiences() throws {
        #expect(try rules.identity(claims(["aud": ["x", 7, "y"]]), now: 1000).audiences == ["x", "y"])
        #expect(try rules.identity(claims(["aud": nil]), now: 1000).audiences.isEmpty)
    }

    @Test("a subject is needed, and has room")
    func subjects() throws {
        for wrong in [nil, "", 7, .string(String(repeating: "s", count: 600))] as [JSONValue?] {
            #expect(throws: AuthenticationError.self) { try rules.identity(claims(["sub": wrong]), now: 1000) }
        }
    }

    @Test(
        "what is no token in three parts with JSON in them is none",
        arguments: [
            "", "a", "a.b", "a.b.c", "e30.e30.", "e30.e30.AAAA.e30", "eyJhbGciOiJSUzI1NiJ9.W10.AAAA",
            "eyJhbGciOiJSUzI1NiJ9.e30.A", "eyJhbGciOiJSUzI1NiJ9.e30=.AAAA", "eyJhbGciOiJSUzI1NiJ9 .e30.AAAA",
            // "alg" twice: readers disagree about which counts.
            "eyJhbGciOiJSUzI1NiIsImFsZyI6Im5vbmUifQ.e30.AAAA",
        ])
    func malformed(_ text: String) {
        #expect(Array(text.utf8).withUnsafeBytes { SignedToken($0) == nil })
    }

    @Test("a token is taken apart")
    func parts() throws {
        let header = Base64.encode(Array(#"{"alg":"RS256","kid":"k"}"#.utf8), .url)
        let text = header + Array(".e30.AQID".utf8)
        let token = try #require(text.withUnsafeBytes { SignedToken($0) })
        #expect(token.algorithm == "RS256")
        #expect(token.keyID == "k")
        #expect(token.signature == [1, 2, 3])
        #expect(token.message == header + Array(".e30".utf8))
    }

    @Test("an issuer with a path is asked at three places, one without at two (RFC 8414 §3.1)")
    func locations() {
        #expect(
            IssuerMetadata.locations(of: "https://host/realms/x") == [
                "https://host/realms/x/.well-known/openid-configuration",
                "https://host/.well-known/oauth-authorization-server/realms/x",
                "https://host/.well-known/openid-configuration/realms/x",
            ])
        #expect(
            IssuerMetadata.locations(of: "https://host:8443/") == [
                "https://host:8443/.well-known/openid-configuration",
                "https://host:8443/.well-known/oauth-authorization-server",
            ])
    }

    @Test("one issuer can't speak for another, nor name keys that anybody on the way could change")
    func metadata() throws {
        let issuer = "https://issuer"
        #expect(
            try IssuerMetadata.keysURL(["issuer": "https://issuer", "jwks_uri": "https://k/x"], issuer: issuer)
                == "https://k/x")
        for wrong in [
            ["issuer": "https://issuer/", "jwks_uri": "https://k/x"], ["jwks_uri": "https://k/x"],
            ["issuer": "https://issuer"], ["issuer": "https://issuer", "jwks_uri": "http://k/x"],
            ["issuer": "https://issuer", "jwks_uri": "file:///etc/passwd"],
            ["issuer": "https://issuer", "jwks_uri": "http://localhost@k/x"],
            ["issuer": "https://issuer", "jwks_uri": "http://localhost.k/x"],
        ] as [JSONValue] {
            #expect(throws: FetchError.self) { try IssuerMetadata.keysURL(wrong, issuer: issuer) }
        }
        for fine in ["http://localhost/x", "http://127.0.0.1:8080/x", "http://[::1]:1/x"] {
            #expect(IssuerMetadata.isSafe(fine))
        }
    }
}
