// SPDX-License-Identifier: MIT

import Identity
import JSON
import Model

/// What a token has to say to be good, and who it stands for (RFC 9068 §4, RFC 8725).
public struct TokenRules: Hashable, Sendable {
    /// How far the clocks of the issuer and of this machine may differ, in seconds.
    static let leeway: Int64 = 60

    /// Who issues tokens; compared byte for byte.
    public var issuer: String
    /// The scopes of which each is needed.
    public var scopes: [String]
    /// Where the roles stand: the names of claims, one inside of the other.
    public var rolesClaim: [String]

    /// Describes rules.
    public init(issuer: String, scopes: [String] = [], rolesClaim: [String] = ["roles"]) {
        self.issuer = issuer
        self.scopes = scopes
        self.rolesClaim = rolesClaim
    }

    /// What the claims of a token say whose signature is good.
    ///
    /// - Parameter now: In seconds since 1970.
    func identity(_ claims: JSONValue, now: Int64) throws(AuthenticationError) -> Identity {
        guard claims["iss"]?.text == issuer else { throw .invalid("the token is of another issuer") }
        guard let expiry = Self.seconds(claims["exp"]) else { throw .invalid("the token does not say when it ends") }
        guard now < Self.sum(expiry, Self.leeway) else { throw .invalid("the token has expired") }
        if let start = claims["nbf"] {
            guard let start = Self.seconds(start), start <= Self.sum(now, Self.leeway) else {
                throw .invalid("the token is not good yet")
            }
        }
        guard let subject = claims["sub"]?.text, !subject.isEmpty else {
            throw .invalid("the token does not say who it stands for")
        }
        // A subject is unique with its issuer only (OpenID Connect Core §5.7).
        let id = "\(issuer)#\(subject)"
        guard id.utf8.count <= 512 else { throw .invalid("the token's subject is too long") }
        let granted = Set(Self.words(claims["scope"]) + Self.words(claims["scp"]))
        return Identity(
            principal: Principal(id: id, roles: Set(Self.words(value(at: rolesClaim[...], in: claims)))),
            audiences: claims["aud"]?.text.map { [$0] } ?? claims["aud"]?.items.compactMap(\.text) ?? [],
            hasScopes: scopes.allSatisfy(granted.contains), expiry: Self.sum(expiry, Self.leeway))
    }

    private func value(at path: ArraySlice<String>, in value: JSONValue) -> JSONValue? {
        guard let name = path.first else { return value }
        return value[name].flatMap { self.value(at: path.dropFirst(), in: $0) }
    }

    /// A NumericDate, which may have a fraction (RFC 7519 §2).
    private static func seconds(_ value: JSONValue?) -> Int64? {
        switch value {
        case .integer(let number): number
        case .number(let number): Int64(exactly: number.rounded(.down))
        default: nil
        }
    }

    private static func sum(_ left: Int64, _ right: Int64) -> Int64 {
        let (sum, isOverflow) = left.addingReportingOverflow(right)
        return isOverflow ? .max : sum
    }

    /// Words in one text (RFC 6749 §3.3), or in an array, as some issuers have it.
    private static func words(_ value: JSONValue?) -> [String] {
        value?.text.map { $0.split(separator: " ").map(String.init) } ?? value?.items.compactMap(\.text) ?? []
    }
}
