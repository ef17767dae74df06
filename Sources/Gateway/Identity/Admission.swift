// SPDX-License-Identifier: MIT

public import Model
import Wire

/// Lets requests in, or not, on one event loop: remembers what tokens have said, so that a signature is checked once for
/// each token and loop, and not for each request.
///
/// Two generations of what is remembered: when the young one is full it becomes the old one, and what is used moves back to
/// the young. Confined to its loop.
public struct Admission {
    /// What a token said.
    private struct Known {
        let token: [UInt8]
        let identity: Identity
        /// Whether it is good for the whole gateway.
        let isGatewayWide: Bool
        /// The adapter that it was last found to be good for.
        var adapter: String
    }

    private let authenticator: any Authenticator
    private let resources: ProtectedResources?
    private let generationCapacity: Int
    private var young: [UInt64: Known] = [:]
    private var old: [UInt64: Known] = [:]

    /// - Parameters:
    ///   - resources: What is protected; without it everybody is let in whom `authenticator` knows.
    ///   - capacity: How many tokens are remembered.
    public init(_ authenticator: any Authenticator, _ resources: ProtectedResources?, capacity: Int = 4096) {
        self.authenticator = authenticator
        self.resources = resources
        generationCapacity = max(1, capacity / 2)
    }

    /// Whether tokens are needed.
    public var isGuarded: Bool { resources != nil }

    /// Who sends a request for the adapter called `adapter`, if the credentials are good for it.
    ///
    /// - Parameter now: In seconds since 1970; asked only where credentials end.
    public mutating func principal(
        _ credentials: Credentials, adapter: String, now: () -> Int64
    ) throws(AuthenticationError) -> Principal {
        guard let resources else { return try authenticator.identify(credentials, now: 0).principal }
        guard let token = credentials.bearerToken else { throw .missing }
        let now = now()
        let key = Self.key(token)
        if let key, let known = find(key, token), known.identity.expiry > now {
            if known.isGatewayWide || known.adapter == adapter { return known.identity.principal }
            guard resources.isGood(known.identity, forAdapter: adapter) else { throw .foreign }
            young[key]?.adapter = adapter
            return known.identity.principal
        }
        let identity = try authenticator.identify(credentials, now: now)
        guard resources.isGood(identity, forAdapter: adapter) else { throw .foreign }
        guard identity.hasScopes else { throw .insufficientScope }
        if let key {
            insert(
                Known(
                    token: Array(token), identity: identity, isGatewayWide: resources.isGatewayWide(identity),
                    adapter: adapter), key)
        }
        return identity.principal
    }

    /// Forgets what was not used since the last call but one.
    public mutating func age() {
        old = young
        young = [:]
    }

    /// How many tokens are remembered.
    public var count: Int { young.count + old.count }

    private mutating func find(_ key: UInt64, _ token: UnsafeRawBufferPointer) -> Known? {
        if let known = young[key] { return ByteComparison.isEqual(token, known.token) ? known : nil }
        guard let known = old[key], ByteComparison.isEqual(token, known.token) else { return nil }
        insert(known, key)
        return known
    }

    private mutating func insert(_ known: Known, _ key: UInt64) {
        if young.count >= generationCapacity { age() }
        young[key] = known
    }

    /// The end of a token, which belongs to its signature: as good as random.
    private static func key(_ token: UnsafeRawBufferPointer) -> UInt64? {
        guard token.count >= 8 else { return nil }
        return token.loadUnaligned(fromByteOffset: token.count - 8, as: UInt64.self)
    }
}

extension AuthenticationError {
    /// A good token, but for somebody else (RFC 8707; MCP authorization, token audience).
    static let foreign = AuthenticationError.invalid("the token was issued for something else")
}
