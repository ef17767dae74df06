// SPDX-License-Identifier: MIT

import HTTP
import Identity
import MCPProtocol
import NIOCore
import Wire

/// A request of which it can't be told yet who sends it: it waits for what decides, and is then the exchange's like any other.
///
/// The authenticator promises to decide within seconds, so no deadline of its own is needed. Confined to its loop.
final class UndecidedRequest: RequestSink {
    private enum Stage {
        case waiting
        case passedOn
        case gone
    }

    /// The framing of chunks is taken off.
    let wantsPayload = true

    private let proxy: ProxyLoop
    private let exchange: ProxyExchange
    private let client: ClientLeg
    private let path: AdapterPath
    private var stage = Stage.waiting
    private var head: HeldBytes
    private var body = HeldBytes()
    private var isComplete = false

    /// Begins to wait; ``decided()`` is to be called once.
    init(_ request: RequestView, _ path: AdapterPath, _ exchange: ProxyExchange, proxy: ProxyLoop) {
        self.proxy = proxy
        self.exchange = exchange
        self.path = path
        client = exchange.client
        head = HeldBytes(exchange.client.headSlice(length: request.head.length))
    }

    /// It can be told now.
    func decided() {
        guard case .waiting = stage else { return }
        stage = .passedOn
        let turn = exchange.turn
        client.pauseReading(false)
        let head = self.head
        self.head.clear()
        head.withUnsafeReadableBytes { bytes in
            guard let view = proxy.view(of: bytes) else { return exchange.respond(.malformedHTTP("the head changed")) }
            exchange.kept.head = head
            exchange.begin(view, path, sender: proxy.sender(of: view, path).settled)
        }
        // What the answer has ended may be the next request's already.
        guard exchange.turn == turn, isComplete || !body.isEmpty else { return }
        exchange.receive(body.take() ?? ByteBuffer(), isEnd: isComplete)
    }

    func receive(_ bytes: ByteBuffer, isEnd: Bool) {
        guard case .waiting = stage else { return exchange.receive(bytes, isEnd: isEnd) }
        isComplete = isEnd
        body.append(bytes)
        if !isEnd, body.count > ProxyExchange.keptBytes { client.pauseReading(true) }
    }

    func compact() {
        guard case .waiting = stage else { return exchange.compact() }
        head.fit()
        body.fit()
    }

    func writabilityChanged() {
        if case .passedOn = stage { exchange.writabilityChanged() }
    }

    func inputClosed() {
        if case .passedOn = stage { exchange.inputClosed() }
    }

    func drain() {
        if case .passedOn = stage { exchange.drain() }
    }

    func clientGone() {
        stage = .gone
        exchange.clientGone()
    }
}
