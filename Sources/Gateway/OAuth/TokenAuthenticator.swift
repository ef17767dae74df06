// SPDX-License-Identifier: MIT

public import Identity
public import Logging
public import ServiceLifecycle
import Synchronization

/// Knows callers by the tokens of one issuer, whose keys it keeps fresh.
///
/// Tokens are JSON Web Tokens that the issuer has signed (RFC 9068); nothing is asked of the issuer but its keys. Those are
/// fetched when ``run()`` begins, again and again after that, and at once when a token names a key that is not known: an
/// issuer may sign with a new key from one moment to the next.
public final class TokenAuthenticator: Authenticator, Service {
    private struct State {
        var keys: KeySet?
        /// Whether keys are being fetched, or are about to be.
        var isFetching = true
        /// When keys were last fetched, or were not.
        var lastFetch: ContinuousClock.Instant?
        var waiting: [@Sendable () -> Void] = []
    }

    /// How many requests may wait for keys.
    private static let maximumWaiting = 4096

    private let rules: TokenRules
    private let fetcher: KeyFetcher
    private let refreshInterval: Duration
    private let minimumInterval: Duration
    private let logger: Logger
    private let state = Mutex(State())
    private let wanted: AsyncStream<Void>
    private let want: AsyncStream<Void>.Continuation

    /// Prepares to know callers; nothing is fetched before ``run()``.
    ///
    /// - Parameters:
    ///   - authorities: Certificates of authorities (PEM) to trust in the issuer, beside those of the system.
    ///   - refreshInterval: How old keys get.
    ///   - minimumInterval: How long after one fetch a token with an unknown key may cause the next: whoever makes up keys
    ///     must not be able to make the gateway a nuisance to the issuer.
    public init(
        rules: TokenRules, authorities: [UInt8]? = nil, refreshInterval: Duration = .seconds(600),
        minimumInterval: Duration = .seconds(5), logger: Logger
    ) {
        self.rules = rules
        fetcher = KeyFetcher(issuer: rules.issuer, authorities: authorities)
        self.refreshInterval = refreshInterval
        self.minimumInterval = minimumInterval
        self.logger = logger
        (wanted, want) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// What the token says, if it is the issuer's and good now.
    public func identify(_ credentials: Credentials, now: Int64) throws(AuthenticationError) -> Identity {
        guard let bytes = credentials.bearerToken else { throw .missing }
        guard let token = SignedToken(bytes) else { throw .invalid("the token is not a signed JSON Web Token") }
        // Cheaper than a signature, and what does not pass here causes no fetch.
        let identity = try rules.identity(token.claims, now: now)
        let keys = state.withLock(\.keys)
        let candidates = keys?.candidates(token.keyID) ?? []
        if candidates.contains(where: { $0.isGood(token.signature, of: token.message, algorithm: token.algorithm) }) {
            return identity
        }
        if token.keyID != nil, !candidates.isEmpty { throw .invalid("the token's signature is not good") }
        throw askForKeys()
    }

    /// Has keys fetched for a token whose key is not known, if that may help.
    private func askForKeys() -> AuthenticationError {
        let (answer, mustFetch): (AuthenticationError, Bool) = state.withLock { state in
            if state.isFetching { return (.undecided, false) }
            if let last = state.lastFetch, last.duration(to: .now) < minimumInterval {
                let isKnown = state.keys != nil
                return (isKnown ? .invalid("the token is signed with an unknown key") : .unavailable, false)
            }
            state.isFetching = true
            return (.undecided, true)
        }
        if mustFetch { want.yield() }
        return answer
    }

    /// See ``Identity/Authenticator/whenDecided(_:)``: when the fetch under way has ended, well or not.
    public func whenDecided(_ body: @escaping @Sendable () -> Void) -> Bool {
        let (isAccepted, isDecided) = state.withLock { state in
            guard state.isFetching else { return (true, true) }
            guard state.waiting.count < Self.maximumWaiting else { return (false, false) }
            state.waiting.append(body)
            return (true, false)
        }
        if isDecided { body() }
        return isAccepted
    }

    /// Keeps the keys fresh until graceful shutdown or cancellation; afterwards those that are known go on to be used.
    public func run() async throws {
        await cancelWhenGracefulShutdown {
            // One reader for all the time: a stream ends with the task that reads it.
            var wanted = self.wanted.makeAsyncIterator()
            var failures = 0
            while !Task.isCancelled {
                self.state.withLock { $0.isFetching = true }
                failures = await self.fetch() ? 0 : failures + 1
                let pause = failures == 0 ? self.refreshInterval : .seconds(1 << min(failures - 1, 4))
                await withTaskGroup(of: Void.self) { timer in
                    timer.addTask {
                        if (try? await Task.sleep(for: min(pause, self.refreshInterval))) != nil { self.want.yield() }
                    }
                    await wanted.next()
                    timer.cancelAll()
                }
            }
        }
        settle { $0.isFetching = false }
    }

    /// - Returns: whether there are keys that are fresh now.
    private func fetch() async -> Bool {
        do {
            let keys = try await fetcher.keys()
            settle { state in
                state.keys = keys
                state.isFetching = false
                state.lastFetch = .now
            }
            return true
        } catch {
            if !Task.isCancelled {
                logger.warning(
                    "the keys of the token issuer can't be fetched; it is tried again", metadata: ["error": "\(error)"])
            }
            settle { state in
                state.isFetching = false
                state.lastFetch = .now
            }
            return false
        }
    }

    private func settle(_ change: (inout State) -> Void) {
        let waiting = state.withLock { state in
            change(&state)
            return state.waiting.exchange([])
        }
        for body in waiting { body() }
    }
}

extension Array {
    /// Puts `other` in this array's place, and returns what was here.
    fileprivate mutating func exchange(_ other: [Element]) -> [Element] {
        defer { self = other }
        return self
    }
}
