// SPDX-License-Identifier: MIT

internal import Curl
internal import JSON
import Synchronization

/// Hands out what a request has to carry, and renews it in time.
final class CredentialSource: Sendable {
    /// What a request carries.
    struct Grant: Sendable {
        var authorization: String?
        var identity: CurlTrust.Identity?
    }

    /// Tokens in files are replaced long before they expire, and the file is small.
    static let tokenFileAge: Duration = .seconds(10)

    private struct Cached {
        var grant: Grant
        /// `nil`: until the server says otherwise.
        var renewal: ContinuousClock.Instant?
    }

    let access: ClusterAccess
    private let cached = Mutex<Cached?>(nil)

    init(_ access: ClusterAccess) {
        self.access = access
    }

    /// What the next request has to carry.
    func grant() async throws(KubernetesError) -> Grant {
        let now = ContinuousClock.now
        if let cached = cached.withLock({ $0 }), cached.renewal.map({ $0 > now }) ?? true { return cached.grant }
        var fresh = Cached(grant: Grant(authorization: nil, identity: access.trust.identity))
        switch access.credentials {
        case .none: break
        case .token(let token): fresh.grant.authorization = "Bearer \(token)"
        case .basic(let user, let password):
            fresh.grant.authorization = "Basic \(Base64.encode(Array("\(user):\(password)".utf8)))"
        case .tokenFile(let path):
            fresh.grant.authorization = "Bearer \(String(decoding: try AccessFile.read(path), as: UTF8.self).trimmed)"
            fresh.renewal = now + Self.tokenFileAge
        case .program(let program):
            let answer = try await program.run()
            if let token = answer.token { fresh.grant.authorization = "Bearer \(token)" }
            if let identity = answer.identity { fresh.grant.identity = identity }
            // A little before the end, since clocks differ and requests take time.
            fresh.renewal = answer.lifetime.map { now + max($0 - .seconds(30), .seconds(1)) }
        }
        cached.withLock { $0 = fresh }
        return fresh.grant
    }

    /// Forgets what the server did not accept; the next request gets it anew.
    func refuse() {
        cached.withLock { $0 = nil }
    }
}
