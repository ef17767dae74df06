// SPDX-License-Identifier: MIT

import HTTP
import Logging
import MCPProtocol
import Metrics
import Model
import NIOCore
import Observability
import RuntimeContract
import Wire

/// Begins a lost session once more on a ready instance: sends what its client has sent, and sees whether the server
/// agrees to the same.
///
/// One per session at a time, and not bound to the request that found the loss: that one's client may leave. Confined to
/// its loop; ends by its deadline at the latest.
final class RecoveryHandshake: Expiring {
    private enum Step {
        /// No instance is ready.
        case waiting
        /// Between two attempts.
        case pausing
        /// A connection is being opened.
        case connecting(InstanceTarget)
        /// `initialize` was sent.
        case initializing(InstanceTarget)
        /// `notifications/initialized` was sent.
        case confirming(SessionBinding, InstanceTarget)
        case over
    }

    private let expiry: NIODeadline
    private let memory: SessionMemory
    private let proxy: ProxyLoop
    private let handshake: SessionMemory.Handshake
    private let adapterName: String
    private var step = Step.waiting
    private var connection: HandshakeConnection?
    /// Where this counts as a request, so that the instance is in use.
    private var counted: PlacementLoad?
    private var tried: [InstanceID] = []
    private var attempts = 0

    init(_ memory: SessionMemory, proxy: ProxyLoop) {
        self.memory = memory
        self.proxy = proxy
        handshake = memory.handshake
        adapterName = memory.adapter.rawValue
        expiry = proxy.loop.sweep.deadline(after: proxy.configuration.startTimeout)
    }

    /// Begins; the loop keeps this object until it is over.
    func begin() {
        proxy.loop.sweep.insert(self)
        attempt()
    }

    /// There is a new snapshot.
    func tableChanged() {
        if case .waiting = step { attempt() }
    }

    override var deadline: NIODeadline { expiry }

    override func deadlinePassed() { finish(.postponed) }

    private func attempt() {
        guard let adapter = proxy.table.adapters[adapterName], adapter.route.recovery == .reinitialize else {
            return finish(.lost)
        }
        guard
            let candidate = Placement.choose(
                for: .session, among: adapter.candidates, tried: tried, at: proxy.uptime, using: &proxy.random)
                ?? Placement.choose(
                    for: .session, among: adapter.candidates, at: proxy.uptime, using: &proxy.random),
            let instance = adapter.instance(candidate), instance.load.beginRequest()
        else {
            step = .waiting
            proxy.onWanted(adapter.route.name)
            return
        }
        counted = instance.load
        attempts += 1
        step = .connecting(instance)
        connect(to: instance)
    }

    private func connect(to instance: InstanceTarget) {
        let connection = HandshakeConnection(limits: proxy.upstreamHeadLimits) { [weak self] in self?.heard($0) }
        self.connection = connection
        let number = attempts
        let endpoint = instance.endpoint.endpoint
        UpstreamPool.connect(connection, to: endpoint, address: UpstreamPool.address(of: endpoint), proxy: proxy) {
            [weak self] isOpen in
            // An attempt that was given up closes what it opened.
            if self?.attempts == number { connection.connected(isOpen) } else { connection.close() }
        }
    }

    private func heard(_ event: HandshakeConnection.Event) {
        switch (event, step) {
        case (.connected, .connecting(let instance)):
            step = .initializing(instance)
            connection?.send(request(to: instance, body: handshake.initialize))
        case (.answered(let answer), .initializing(let instance)): initialized(answer, instance)
        case (.connected, .confirming(_, let instance)): confirm(instance)
        case (.answered(let answer), .confirming(let binding, _)):
            guard (200..<300).contains(answer.status) else { return failed(isFinal: answer.status < 500) }
            moved(to: binding)
        case (.failed, .connecting(let instance)), (.failed, .initializing(let instance)):
            tried.append(instance.endpoint.id)
            failed(isFinal: false)
        case (.failed, _): failed(isFinal: false)
        default: break
        }
    }

    private func initialized(_ answer: HandshakeConnection.Answer, _ instance: InstanceTarget) {
        guard (200..<300).contains(answer.status) else { return failed(isFinal: answer.status < 500) }
        guard let terms = answer.message.flatMap(NegotiatedTerms.init), terms == handshake.terms,
            let session = answer.session,
            let binding = SessionBinding(
                kind: .streamable, ordinal: instance.ordinal, incarnation: instance.digest, upstream: session)
        else {
            // The client would go on with a server that can something else: it has to begin anew, and know it.
            if let session = answer.session {
                connection?.send(request("DELETE", to: instance, session: session))
            }
            return finish(.lost)
        }
        guard memory.handshake.initialized != nil else { return moved(to: binding) }
        step = .confirming(binding, instance)
        if answer.keepsAlive { confirm(instance) } else { connect(to: instance) }
    }

    private func confirm(_ instance: InstanceTarget) {
        guard case .confirming(let binding, _) = step, let body = memory.handshake.initialized else { return }
        connection?.send(request(to: instance, session: binding.upstream, body: body))
    }

    private func moved(to binding: SessionBinding) {
        // Whoever uses the session next counts it where it lives now.
        _ = proxy.registry.end(memory.fingerprint)
        finish(.moved, binding)
    }

    private func leave() {
        connection?.close()
        connection = nil
        counted?.endRequest()
        counted = nil
    }

    private func failed(isFinal: Bool) {
        leave()
        guard !isFinal else { return finish(.lost) }
        step = .pausing
        let pause = TimeAmount.milliseconds(50 << Int64(min(attempts, 4)))
        proxy.eventLoop.assumeIsolated().scheduleTask(in: pause) { [weak self] in
            if case .pausing? = self?.step { self?.attempt() }
        }
    }

    private func finish(_ outcome: SessionMemory.Outcome, _ binding: SessionBinding? = nil) {
        if case .over = step { return }
        step = .over
        proxy.loop.sweep.remove(self)
        leave()
        let meters = proxy.table.adapters[adapterName]?.meters
        switch outcome {
        case .moved: meters?.sessionsRecovered.increment()
        case .lost, .postponed: meters?.sessionsNotRecovered.increment()
        }
        proxy.logger.debug(
            "a session whose instance was lost was begun anew, or could not be",
            metadata: [LogKey.adapter: "\(adapterName)", "outcome": "\(outcome)"])
        memory.finish(outcome, binding)
        if outcome == .lost { proxy.registry.memories.forget(memory.fingerprint) }
        proxy.ended(self)
    }

    private func request(
        _ method: String = "POST", to instance: InstanceTarget, session: [UInt8]? = nil, body: [UInt8] = []
    ) -> [UInt8] {
        var bytes = Array("\(method) ".utf8) + handshake.target + Array(" HTTP/1.1\r\nHost: ".utf8) + instance.host
        bytes += "\r\n".utf8
        bytes += handshake.fields
        if let session {
            bytes += "Mcp-Session-Id: ".utf8
            bytes += session
            bytes += "\r\n".utf8
            // Older clients name their revision from the beginning.
            let names = String(decoding: handshake.fields, as: UTF8.self).lowercased()
            if let terms = handshake.terms, !names.contains("mcp-protocol-version:") {
                bytes += "MCP-Protocol-Version: \(terms.protocolVersion)\r\n".utf8
            }
        }
        if let adapter = proxy.table.adapters[adapterName] { bytes += adapter.secretLines }
        if proxy.table.adapters[adapterName]?.route.transport == .stdio {
            var line = ByteBuffer(staticString: "MCP-Gateway-Principal: ")
            RequestFields.writeHexadecimal(memory.principal, into: &line)
            line.writeStaticString("\r\n")
            bytes += line.readableBytesView
        }
        if method == "POST" { bytes += "Content-Length: \(body.count)\r\n".utf8 }
        return bytes + Array("\r\n".utf8) + body
    }
}
