// SPDX-License-Identifier: MIT

import HTTP
import Logging
import NIOCore

/// All that a bridge has on its event loop: the requests come in here.
final class BridgeCore: RequestRouter, LoopResponder {
    private let configuration: BridgeConfiguration
    private let loop: any EventLoop
    private let relay: StandardErrorRelay
    private let launcher: ChildLauncher
    private let router: BridgeRouter
    private var ticks: RepeatedTask?

    /// A core whose clock ticks.
    init(_ configuration: BridgeConfiguration, loop: any EventLoop, environment: [String: String], log: Logger) {
        self.configuration = configuration
        self.loop = loop
        relay = StandardErrorRelay(loop: loop)
        launcher = ChildLauncher(configuration, loop: loop, relay: relay, environment: environment, log: log)
        router = BridgeRouter(configuration, launcher: launcher, origins: OriginPolicy(configuration), log: log)
        let bound = NIOLoopBound(router, eventLoop: loop)
        ticks = loop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { _ in bound.value.tick(.now())
        }
    }

    func route(_ request: RequestView, on connection: ClientLeg) -> any RequestSink {
        CollectedRequest(
            request, on: connection, maximumBodyBytes: configuration.maximumBodyBytes, responder: self)
    }

    func respond(to request: HTTPRequest, on exchange: HTTPExchange) {
        router.handle(request, on: exchange)
    }

    /// Ends all sessions and asks all children to go.
    func stop() {
        router.stop()
    }

    /// Does what ``stop()`` does, waits for the children, and kills those that are there after `limit`.
    func end(within limit: TimeAmount) -> EventLoopFuture<Void> {
        ticks?.cancel()
        router.stop()
        let done = loop.makePromise(of: Void.self)
        let late = loop.assumeIsolated().scheduleTask(in: limit) { [launcher, loop] in
            launcher.killAll()
            // What not even SIGKILL ends hangs in the kernel; there is nothing to wait for.
            loop.assumeIsolated().scheduleTask(in: .seconds(1)) { done.succeed() }
        }
        launcher.whenEmpty().assumeIsolated().whenComplete { [relay] _ in
            late.cancel()
            relay.stop()
            done.succeed()
        }
        return done.futureResult
    }
}

extension OriginPolicy {
    /// The rules for `configuration`; `nil` on a Unix socket, which no web page can reach.
    fileprivate init?(_ configuration: BridgeConfiguration) {
        guard case .tcp(let host, _) = configuration.listener else { return nil }
        self.init(
            allowedOrigins: configuration.allowedOrigins,
            checksHost: host == "localhost" || host == "::1" || host.hasPrefix("127."))
    }
}
