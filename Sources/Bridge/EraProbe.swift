// SPDX-License-Identifier: MIT

import HTTP
import Logging
import NIOCore

/// Finds out which era the command's server is of, the first time somebody needs to know.
///
/// Asks a child that is used for nothing else (see ``EraVerdict/question``). No answer in time, and an end without an
/// answer, mean legacy for a minute. Callers that come meanwhile wait for the same answer.
final class EraProbe {
    /// What a caller learns; the failure says in words why there is nothing to learn.
    enum Outcome {
        /// It is known.
        case success(EraVerdict)
        /// The server could not be started; the next caller tries again.
        case failure(String)
    }

    private static let maximumWaiters = 1024
    private static let silenceLifetime = TimeAmount.seconds(60)

    private let launcher: ChildLauncher
    private let timeout: TimeAmount
    private let log: Logger
    private var verdict: EraVerdict?
    private var child: ServerProcess?
    private var deadline = NIODeadline.distantFuture
    private var expiry = NIODeadline.distantFuture
    private var waiters: [(exchange: HTTPExchange, then: (Outcome) -> Void)] = []

    /// Knows already when the configuration says it.
    init(_ configuration: BridgeConfiguration, launcher: ChildLauncher, log: Logger) {
        self.launcher = launcher
        self.log = log
        timeout = TimeAmount(configuration.probeTimeout)
        switch configuration.era {
        case .auto: verdict = nil
        case .legacy: verdict = .legacy
        case .modern: verdict = .modern
        }
    }

    /// Calls `then` when the era is known, unless the client of `exchange` has left by then.
    func ask(_ exchange: HTTPExchange, then: @escaping (Outcome) -> Void) {
        if let verdict { return then(.success(verdict)) }
        guard waiters.count < Self.maximumWaiters else {
            return then(.failure("too many requests wait for the server"))
        }
        exchange.onClientGone = { [weak self] in self?.waiters.removeAll { $0.exchange === exchange } }
        waiters.append((exchange, then))
        if child == nil { start() }
    }

    /// Gives up when the answer takes too long.
    func tick(_ now: NIODeadline) {
        if deadline <= now { settleWithoutAnswer() }
        if expiry <= now, verdict != nil { (verdict, expiry) = (nil, .distantFuture) }
    }

    /// Ends the child, if there is one.
    func stop() {
        child?.stop()
        child = nil
        finish(.failure("the bridge is stopping"))
    }

    private func start() {
        do {
            let child = try launcher.launch()
            self.child = child
            deadline = .now() + timeout
            child.onMessage = { [weak self] message in
                if let verdict = EraVerdict(answer: message) { self?.settle(verdict) }
            }
            child.onEnd = { [weak self] _ in self?.settleWithoutAnswer() }
            child.send(EraVerdict.question)
        } catch {
            finish(.failure("the server could not be started: \(error.message)"))
        }
    }

    private func settle(_ verdict: EraVerdict) {
        guard self.verdict == nil else { return }
        self.verdict = verdict
        log.info("The era of the server is known", metadata: ["era": "\(verdict)"])
        child?.stop()
        child = nil
        finish(.success(verdict))
    }

    /// No answer is no proof: a server that was slow or broken just now is asked again after a while.
    private func settleWithoutAnswer() {
        guard verdict == nil else { return }
        expiry = .now() + Self.silenceLifetime
        settle(.legacy)
    }

    private func finish(_ outcome: Outcome) {
        deadline = .distantFuture
        let waiters = self.waiters
        self.waiters = []
        for waiter in waiters {
            waiter.exchange.onClientGone = nil
            waiter.then(outcome)
        }
    }
}
