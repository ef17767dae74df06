// SPDX-License-Identifier: MIT

public import Model

extension ProtectedResources {
    /// Who sends a request to the gateway's API with this value of `Authorization`, if that is good for it.
    ///
    /// Waits some seconds at most where what decides is being fetched.
    ///
    /// - Parameter now: In seconds since 1970.
    public func principal(
        _ authorization: String?, by authenticator: any Authenticator, now: Int64
    ) async throws(AuthenticationError) -> Principal {
        do throws(AuthenticationError) {
            return try principal(authorization, authenticator, now)
        } catch .undecided {
            await withCheckedContinuation { continuation in
                if !authenticator.whenDecided({ continuation.resume() }) { continuation.resume() }
            }
        }
        do throws(AuthenticationError) {
            return try principal(authorization, authenticator, now)
        } catch .undecided {
            throw .unavailable
        }
    }

    private func principal(
        _ authorization: String?, _ authenticator: any Authenticator, _ now: Int64
    ) throws(AuthenticationError) -> Principal {
        try Array((authorization ?? "").utf8).withUnsafeBufferPointer { bytes throws(AuthenticationError) in
            let credentials = Credentials(authorization: UnsafeRawBufferPointer(bytes))
            guard credentials.bearerToken != nil else { throw .missing }
            let identity = try authenticator.identify(credentials, now: now)
            guard isGatewayWide(identity) else { throw .foreign }
            guard identity.hasScopes else { throw .insufficientScope }
            return identity.principal
        }
    }
}
