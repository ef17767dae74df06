// SPDX-License-Identifier: MIT

public import NIOCore
internal import Wire

/// What the connections of one event loop share.
///
/// Confined to its loop.
public final class HTTPServerLoop {
    /// The loop.
    public let eventLoop: any EventLoop
    /// Watches over the deadlines of everything on this loop.
    public let sweep: DeadlineSweep
    /// How connections are treated.
    public let configuration: HTTPServerConfiguration
    /// Whether the server is stopping.
    public private(set) var isDraining = false

    /// The one scanner of the loop: its findings are used before the next head is scanned.
    var scanner = HeadScanner()
    // swift-format-ignore: NeverUseImplicitlyUnwrappedOptionals
    private(set) var router: (any RequestRouter)!  // set by the server right after init: the router is made from this
    private var connections = 0
    private var drained: EventLoopPromise<Void>?
    private let onConnectionClosed: () -> Void

    init(eventLoop: any EventLoop, configuration: HTTPServerConfiguration, onConnectionClosed: @escaping () -> Void) {
        self.eventLoop = eventLoop
        self.configuration = configuration
        self.onConnectionClosed = onConnectionClosed
        sweep = DeadlineSweep(eventLoop: eventLoop, interval: configuration.sweepInterval)
    }

    func setRouter(_ router: any RequestRouter) {
        self.router = router
    }

    func add(_ connection: HTTPServerConnection) {
        connections += 1
        sweep.insert(connection)
    }

    func remove(_ connection: HTTPServerConnection) {
        connections -= 1
        sweep.remove(connection)
        onConnectionClosed()
        if connections == 0 { drained?.succeed() }
    }

    /// Closes idle connections now and busy ones after their answer; the result comes when all are closed.
    func drain() -> EventLoopFuture<Void> {
        isDraining = true
        let promise = drained ?? eventLoop.makePromise(of: Void.self)
        drained = promise
        sweep.visit { ($0 as? HTTPServerConnection)?.drain() }
        if connections == 0 { promise.succeed() }
        return promise.futureResult
    }

    /// Closes what is left.
    func closeAll() {
        sweep.visit { ($0 as? HTTPServerConnection)?.abort() }
    }
}
