// SPDX-License-Identifier: MIT

public import NIOCore
internal import Wire

/// A client's connection, whichever version of HTTP it speaks, as its loop sees it.
protocol ServerConnection: Expiring {
    /// The server is stopping: ends at once what is idle, and the rest after its answers.
    func drain()
    /// Closes the connection at once, whatever is unfinished.
    func abort()
}

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

    /// What its plain connections read into.
    public let readBuffer = ReadBuffer()

    /// The one scanner of the loop: its findings are used before the next head is scanned.
    var scanner = HeadScanner()
    /// The scanner for the heads of answers that become frames; used while a request's head may still be looked at.
    lazy var answerScanner = HeadScanner()
    /// Decides what becomes of requests; `nil` before the server has made it and after the server has stopped.
    private(set) var router: (any RequestRouter)?
    private var connections = 0
    private var drained: EventLoopPromise<Void>?
    private var clock = HTTPDate()

    /// A loop without connections, on its event loop.
    init(eventLoop: any EventLoop, configuration: HTTPServerConfiguration) {
        self.eventLoop = eventLoop
        self.configuration = configuration
        sweep = DeadlineSweep(eventLoop: eventLoop, interval: configuration.sweepInterval)
    }

    /// The present second as the value of a `Date` field (RFC 9110 §6.6.1).
    public var date: String { clock.text }

    /// Has requests decided upon by `router`, which was made from this loop.
    func setRouter(_ router: any RequestRouter) {
        self.router = router
    }

    /// A connection begins.
    func add(_ connection: any ServerConnection) {
        connections += 1
        sweep.insert(connection)
    }

    /// A connection has ended.
    func remove(_ connection: any ServerConnection) {
        connections -= 1
        sweep.remove(connection)
        if connections == 0 { drained?.succeed() }
    }

    /// Closes idle connections now and busy ones after their answer; the result comes when all are closed.
    func drain() -> EventLoopFuture<Void> {
        isDraining = true
        let promise = drained ?? eventLoop.makePromise(of: Void.self)
        drained = promise
        for member in sweep.members { (member as? any ServerConnection)?.drain() }
        if connections == 0 { promise.succeed() }
        return promise.futureResult
    }

    /// Closes what is left, and lets go of the router, which knows this loop.
    func stop() {
        isDraining = true
        for member in sweep.members { (member as? any ServerConnection)?.abort() }
        router = nil
    }
}
