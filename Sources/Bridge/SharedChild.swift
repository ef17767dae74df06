// SPDX-License-Identifier: MIT

import HTTP
import Logging
import MCPProtocol
import NIOCore

/// One child of the modern era and the clients of one principal that share it.
///
/// Lives on the bridge's event loop. The rewriting is in ``ModernMultiplexer``; this type moves the bytes. A client
/// that leaves cancels its request. Back pressure is that of ``LegacySession``: while too much waits for readers,
/// nothing is read from the child, and a reader that takes nothing for too long is disconnected.
final class SharedChild {
    /// When a request was last in flight.
    private(set) var lastUse = NIODeadline.now()

    private let child: ServerProcess
    private let configuration: BridgeConfiguration
    private let log: Logger
    private var multiplexer = ModernMultiplexer()
    private var readers: [ModernMultiplexer.Call: CallReader] = [:]
    /// The calls whose readers have not taken everything.
    private var congested: Set<ModernMultiplexer.Call> = []
    private var isEnded = false
    private let onEnd: (SharedChild) -> Void

    /// Shares `child`, which was just started; `onEnd` is called once, when it takes no more requests.
    init(
        child: ServerProcess, configuration: BridgeConfiguration, log: Logger, onEnd: @escaping (SharedChild) -> Void
    ) {
        self.child = child
        self.configuration = configuration
        self.log = log
        self.onEnd = onEnd
        child.onMessage = { [weak self] in self?.receive($0) }
        child.onEnd = { [weak self] in self?.childEnded($0) }
    }

    /// Whether requests are in flight.
    var isInUse: Bool { !readers.isEmpty }

    /// Sends a request; its messages go to `exchange`.
    func request(_ request: Message, exchange: HTTPExchange, accept: AcceptHeader) {
        guard !child.isInputFull, readers.count < LegacyConversation.maximumRequests else {
            return exchange.refuse(.unavailable(retryAfterSeconds: 1), id: request.id)
        }
        lastUse = .now()
        let (call, line) = multiplexer.send(request)
        readers[call] = CallReader(exchange, accept: accept)
        exchange.onClientGone = { [weak self] in self?.cancel(call) }
        exchange.onWritabilityChanged = { [weak self] in self?.flush(call) }
        child.send(line)
    }

    /// Sends a notification, which nobody answers.
    func notify(_ notification: Message) {
        guard !child.isInputFull else { return }
        child.send(notification.bytes)
    }

    /// Ends the child: requests in flight get an error that says `reason`.
    func end(_ reason: String) {
        guard !isEnded else { return }
        isEnded = true
        failAll(reason, breaksSubscriptions: false)
        child.stop()
        onEnd(self)
    }

    /// Does what time asks for; called every second or so.
    func tick(_ now: NIODeadline) {
        for (call, reader) in readers {
            if reader.isStalled(now, TimeAmount(configuration.stallTimeout)) {
                log.warning("A client takes nothing from its stream and is disconnected")
                reader.exchange.onClientGone = nil
                reader.exchange.abort()
                cancel(call)
            } else {
                reader.keepAlive(now, interval: TimeAmount(configuration.keepAliveInterval))
            }
        }
        if isInUse { lastUse = now }
        if lastUse + TimeAmount(configuration.idleTimeout) <= now { end("the server was idle for too long") }
    }

    /// The client of `call` has gone, which is how a request is cancelled in this era.
    private func cancel(_ call: ModernMultiplexer.Call) {
        guard readers.removeValue(forKey: call) != nil else { return }
        congested.remove(call)
        if let line = multiplexer.cancel(call) { child.send(line) }
        adjustReading()
    }

    private func receive(_ message: Message) {
        switch multiplexer.receive(message) {
        case .deliver(let call, let bytes, let kind):
            guard let reader = readers[call] else { return }
            reader.add(bytes, kind)
            flush(call)
        case .ignored(let reason): log.debug("A message of the server was dropped", metadata: ["reason": "\(reason)"])
        }
    }

    private func childEnded(_ end: ServerProcess.End) {
        guard !isEnded else { return }
        isEnded = true
        log.warning("A shared server ended", metadata: ["reason": "\(end.description)"])
        failAll("the server ended: \(end.description)", breaksSubscriptions: true)
        onEnd(self)
    }

    private func failAll(_ reason: String, breaksSubscriptions: Bool) {
        for failure in multiplexer.fail(reason) {
            guard let reader = readers.removeValue(forKey: failure.call) else { continue }
            reader.exchange.onClientGone = nil
            if let completion = failure.completion, reader.hasBegun {
                // A stream that breaks tells the client to ask again, one that ends in good order does not.
                reader.finish(breaksSubscriptions ? nil : completion)
            } else {
                reader.fail(failure.error)
            }
        }
        for reader in readers.values {
            // Answered already, but not taken yet: the server of HTTP writes the rest before it closes.
            reader.exchange.onClientGone = nil
            reader.flush(force: true)
        }
        readers = [:]
        congested = []
    }

    private func flush(_ call: ModernMultiplexer.Call) {
        guard let reader = readers[call] else { return }
        reader.flush(force: false)
        if reader.pendingBytes > 0, readers[call] != nil { congested.insert(call) } else { congested.remove(call) }
        if reader.isDone {
            readers[call] = nil
            reader.exchange.onClientGone = nil
            lastUse = .now()
        }
        adjustReading()
    }

    private func adjustReading() {
        let pendingBytes = congested.reduce(0) { $0 + (readers[$1]?.pendingBytes ?? 0) }
        if pendingBytes > configuration.maximumPendingBytes {
            child.setReading(false)
        } else if pendingBytes <= configuration.maximumPendingBytes / 2 {
            child.setReading(true)
        }
    }
}
