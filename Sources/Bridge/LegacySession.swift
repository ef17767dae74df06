// SPDX-License-Identifier: MIT

import HTTP
import Logging
import MCPProtocol
import NIOCore

/// One client of the legacy era and the child that serves it alone.
///
/// Lives on the bridge's event loop. The rules are in ``LegacyConversation``; this type moves the bytes.
///
/// Back pressure: events wait in the log until a reader's connection can take them. While more than
/// `maximumPendingBytes` wait for readers, nothing is read from the child, so it blocks in its writes. A reader that
/// takes nothing for `stallTimeout` meanwhile is disconnected: its stream goes on collecting and can be resumed, and
/// the session's other streams flow again. A stream without a reader never holds up the child; its oldest events go.
final class LegacySession {
    /// The session's id.
    let id: SessionID
    /// Who began the session; requests of others don't find it.
    let principal: String?
    /// The revision that the child agreed to; `nil` until it answered `initialize`.
    private(set) var version: String?
    /// When a client was last heard of.
    private(set) var lastContact: NIODeadline

    private let child: ServerProcess
    private let configuration: BridgeConfiguration
    private let log: Logger
    private var conversation: LegacyConversation
    private var readers: [StreamID: StreamReader] = [:]
    private var opening: Opening?
    private var isEnded = false
    /// 200, and 502 once the answers are our errors.
    private var answerStatus = 200
    private let onOpen: (LegacySession) -> Void
    private let onEnd: (LegacySession) -> Void

    private struct Opening {
        let request: Message
        let exchange: HTTPExchange
        let accept: AcceptHeader
        let deadline: NIODeadline
    }

    /// A session whose child was just started; `onOpen` is called when its id begins to be good, `onEnd` once when it
    /// is no longer.
    init(
        child: ServerProcess,
        principal: String?,
        configuration: BridgeConfiguration,
        log: Logger,
        onOpen: @escaping (LegacySession) -> Void,
        onEnd: @escaping (LegacySession) -> Void
    ) {
        id = .mint()
        self.child = child
        self.principal = principal
        self.configuration = configuration
        self.log = log
        self.onOpen = onOpen
        self.onEnd = onEnd
        conversation = LegacyConversation(
            limits: StreamLog.Limits(
                maximumEvents: configuration.replayEvents, maximumBytes: configuration.replayBytes))
        lastContact = .now()
        child.onMessage = { [weak self] in self?.receive($0) }
        child.onEnd = { [weak self] in self?.childEnded($0) }
    }

    /// Whether some client waits for an answer or reads a stream.
    var isInUse: Bool { opening != nil || !readers.isEmpty }

    /// Whether the revision has priming events and clients that poll.
    private var primes: Bool { (version ?? "") >= "2025-11-25" }

    /// Whether the revision has batches: those before 2025-06-18.
    var takesBatches: Bool { (version ?? "") < "2025-06-18" }

    // MARK: What the client does

    /// Sends the `initialize` that the session begins with; the answer goes to `exchange`, with the id if it is good.
    func initialize(_ request: Message, exchange: HTTPExchange, accept: AcceptHeader) {
        opening = Opening(
            request: request, exchange: exchange, accept: accept,
            deadline: .now() + TimeAmount(configuration.startTimeout))
        exchange.onClientGone = { [weak self] in
            // Nobody knows the id yet, so nobody could use or end the session.
            self?.end("the client left before the session began")
        }
        child.send(request.bytes)
    }

    /// Whether messages can still reach the server: its end is known a little before all that it wrote was read.
    var isServing: Bool { !isEnded && child.isServing }

    /// Sends the messages of one POST.
    func post(_ messages: [Message], isBatch: Bool, exchange: HTTPExchange, accept: AcceptHeader) {
        lastContact = .now()
        guard !child.isInputFull else {
            return exchange.refuse(.unavailable(retryAfterSeconds: 1), answering: messages)
        }
        guard messages.contains(where: { $0.envelope.shape == .request }) else {
            for message in messages { forward(message) }
            return exchange.respond(status: 202)
        }
        let stream: StreamID
        do {
            stream = try conversation.post(messages, carriesMessages: accept.eventStream)
        } catch {
            switch error {
            case .identifierInUse(let id):
                return exchange.refuse(.invalidRequest("the id is in use by a request in flight"), id: id)
            case .tooManyRequests:
                return exchange.refuse(.tooManyRequests(retryAfterSeconds: 1), answering: messages)
            }
        }
        _ = conversation.log.attach(stream)
        if accept.eventStream {
            if primes { conversation.log.prime(stream) }
            attach(StreamReader(exchange, kind: .eventStream), to: stream)
        } else {
            attach(StreamReader(exchange, kind: isBatch ? .jsonArray : .json), to: stream)
        }
        for message in messages { forward(message) }
    }

    /// Opens the stream of messages that belong to no request, or resumes any stream after the event `last`.
    func get(after last: String?, exchange: HTTPExchange) {
        lastContact = .now()
        if let last {
            guard let event = EventID(last) else {
                return exchange.refuse(.invalidRequest("Last-Event-ID is no event of this session"))
            }
            // The connection that broke may not have been noticed here yet.
            if let old = readers.removeValue(forKey: event.stream) {
                release(event.stream)
                old.exchange.onClientGone = nil
                old.exchange.abort()
            }
            guard conversation.log.resume(after: event) else {
                return exchange.refuse(.invalidRequest("Last-Event-ID is no event that is kept"))
            }
            return attach(StreamReader(exchange, kind: .eventStream), to: event.stream)
        }
        guard conversation.log.attach(.standalone) else {
            return exchange.respond(
                status: 409, error: ErrorBody.json(id: .null, code: -32600, message: "the stream is open already"))
        }
        if primes, conversation.log.isEmpty(.standalone) { conversation.log.prime(.standalone) }
        attach(StreamReader(exchange, kind: .eventStream), to: .standalone)
    }

    /// Ends the session: requests in flight get an error that says `reason`, the child is stopped.
    func end(_ reason: String) {
        guard !isEnded else { return }
        isEnded = true
        finishStreams(reason)
        child.stop()
        onEnd(self)
    }

    /// Does what time asks for; called every second or so.
    func tick(_ now: NIODeadline) {
        if let opening, opening.deadline <= now {
            self.opening = nil
            opening.exchange.onClientGone = nil
            opening.exchange.refuse(.upstreamTimedOut, id: opening.request.id)
            return end("the server did not answer initialize in time")
        }
        for stream in conversation.expireCancelled(before: now - .seconds(10)) { flush(stream) }
        for (stream, reader) in readers {
            if conversation.log.hasPending(stream), reader.lastProgress + TimeAmount(configuration.stallTimeout) <= now
            {
                log.warning("A client takes nothing from its stream and is disconnected")
                readers[stream] = nil
                release(stream)
                reader.exchange.onClientGone = nil
                reader.exchange.abort()
            } else {
                reader.keepAlive(now, interval: TimeAmount(configuration.keepAliveInterval))
            }
        }
        if isInUse { lastContact = now }
        if lastContact + TimeAmount(configuration.idleTimeout) <= now { end("the session was idle for too long") }
    }

    private func forward(_ message: Message) {
        switch message.envelope.shape {
        case .response:
            guard conversation.respond(message) else {
                log.debug("The client answered a request that the server does not wait for")
                return
            }
        case .notification: conversation.notify(message, now: .now())
        case .request, .batch, .invalid: break
        }
        child.send(message.bytes)
    }

    // MARK: What the child does

    private func receive(_ message: Message) {
        if let opening, message.envelope.shape == .response, message.idKey == opening.request.idKey {
            return open(opening, answer: message)
        }
        switch conversation.receive(message) {
        case .delivered(let stream, let dropped):
            for answer in conversation.refuse(dropped) { child.send(answer) }
            flush(stream)
        case .answer(let answer): child.send(answer)
        case .ignored(let reason): log.debug("A message of the server was dropped", metadata: ["reason": "\(reason)"])
        }
    }

    private func open(_ opening: Opening, answer: Message) {
        self.opening = nil
        opening.exchange.onClientGone = nil
        lastContact = .now()
        var headers: HTTPHeaders = [:]
        if answer.envelope.hasResult {
            version = answer.envelope.resultVersion.string ?? "2025-03-26"
            headers.append("Mcp-Session-Id", id.text)
            onOpen(self)
        }
        opening.exchange.answer(answer.bytes, accept: opening.accept, headers: headers)
        if !answer.envelope.hasResult { end("the server refused to initialize") }
    }

    private func childEnded(_ end: ServerProcess.End) {
        guard !isEnded else { return }
        isEnded = true
        log.warning("The server of a session ended", metadata: ["reason": "\(end.description)"])
        finishStreams("the server ended: \(end.description)")
        onEnd(self)
    }

    // MARK: Streams

    private func finishStreams(_ reason: String) {
        answerStatus = 502
        if let opening {
            self.opening = nil
            opening.exchange.onClientGone = nil
            opening.exchange.respond(
                status: 502, error: ErrorBody.json(id: opening.request.id, code: -32603, message: reason))
        }
        for stream in conversation.fail(reason) { flush(stream) }
        for (stream, reader) in readers {
            // What is left are streams without a request, and readers that have not taken their last events: the
            // server of HTTP writes these before it closes.
            reader.exchange.onClientGone = nil
            while let delivery = conversation.log.next(stream) { reader.write(delivery) }
            reader.end(status: answerStatus)
        }
        readers = [:]
    }

    private func attach(_ reader: StreamReader, to stream: StreamID) {
        readers[stream] = reader
        reader.exchange.onClientGone = { [weak self] in self?.readerLeft(stream) }
        reader.exchange.onWritabilityChanged = { [weak self] in self?.flush(stream) }
        reader.begin()
        flush(stream)
    }

    /// A client that leaves wants its answer later, or not; it does not want its request cancelled (MCP, legacy).
    private func readerLeft(_ stream: StreamID) {
        lastContact = .now()
        readers[stream] = nil
        release(stream)
    }

    private func release(_ stream: StreamID) {
        for answer in conversation.refuse(conversation.log.detach(stream)) { child.send(answer) }
        adjustReading()
    }

    private func flush(_ stream: StreamID) {
        if let reader = readers[stream] {
            while reader.canTake, let delivery = conversation.log.next(stream) { reader.write(delivery) }
            if conversation.log.isDrained(stream) {
                readers[stream] = nil
                reader.exchange.onClientGone = nil
                reader.end(status: answerStatus)
                _ = conversation.log.detach(stream)
                if reader.kind != .eventStream { conversation.discard(stream) }
            }
        }
        adjustReading()
    }

    private func adjustReading() {
        let pending = conversation.log.pendingBytes
        if pending > configuration.maximumPendingBytes {
            child.setReading(false)
        } else if pending <= configuration.maximumPendingBytes / 2 {
            child.setReading(true)
        }
    }
}
