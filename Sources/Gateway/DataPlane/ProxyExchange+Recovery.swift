// SPDX-License-Identifier: MIT

import HTTP
import MCPProtocol
import Metrics
import Model
import NIOCore
import Wire

/// What becomes of requests whose session has lost its instance, where the adapter has recovery.
///
/// The request waits while ``RecoveryHandshake`` begins the session anew, and then goes there if it surely has not run,
/// or may run twice.
extension ProxyExchange {
    // MARK: - The loss

    /// Finds out where a session of an adapter with recovery lives now.
    ///
    /// - Returns: whether the request was taken care of, because the session has lost its instance.
    func beginRecovery(of session: BoundSession, _ adapter: AdapterTarget, _ request: RequestView?) -> Bool {
        // Nobody begins a session to end it.
        guard let memory = proxy.recall(session), purpose != .delete else { return false }
        // It may have to be sent more than once.
        if let request { prepareFields(request) }
        guard adapter.instance(of: session.binding) == nil else { return false }
        guard !isCheckedOnTheWay else {
            // Too large to be held. The next one finds the session where it will live.
            if memory.join(session.binding, nil) == .leads { proxy.recover(memory) }
            respond(.unavailable(retryAfterSeconds: 1))
            return true
        }
        self.session = session
        waitForRecovery()
        return true
    }

    /// No connection could be made to the session's instance: nothing was sent, and the instance may be gone.
    ///
    /// - Returns: whether the request was taken care of.
    func recoverUnsent() -> Bool {
        guard session?.memory != nil, !isCheckedOnTheWay else { return false }
        waitForRecovery(afterFailure: true)
        return true
    }

    /// The instance says that it does not know the session, so nothing was done.
    ///
    /// - Returns: whether the request was taken care of.
    func recoverDenied() -> Bool {
        guard let session, session.memory != nil, method == .post, keepsSent, isRequestComplete,
            recovery?.deniedBinding == nil
        else { return false }
        takeBack()
        waitForRecovery(denied: session.binding)
        return true
    }

    /// The connection to the session's instance broke before the answer.
    ///
    /// - Returns: whether the request was taken care of.
    func recoverUnanswered() -> Bool {
        guard session?.memory != nil, isRequestComplete else { return false }
        guard keepsSent, mayRunTwice else {
            failed(.outcomeUnknown)
            return true
        }
        takeBack()
        waitForRecovery(afterFailure: true)
        return true
    }

    /// The connection broke in the middle of an event stream, before the first event of it.
    ///
    /// - Returns: whether the request was taken care of.
    func recoverStream() -> Bool {
        guard session?.memory != nil, method == .post, keepsSent, isRequestComplete, answersInChunks, let progress,
            progress.isBetweenEvents, progress.eventCount == 0, mayRunTwice
        else { return false }
        takeBack()
        let attempt = recovery ?? makeRecovery()
        attempt.continuesStream = true
        waitForRecovery(afterFailure: true)
        return true
    }

    /// Whether the request reads only, or does nothing more when it is done twice.
    private var mayRunTwice: Bool {
        if isSafeToSendAgain { return true }
        guard let envelope = sentEnvelope, envelope.shape == .request, envelope.method.equals("tools/call"),
            let tool = envelope.name.string
        else { return false }
        return session?.memory?.mayRepeat(tool: tool) ?? false
    }

    /// Takes the request off its instance, as it was before it was sent.
    private func takeBack() {
        upstream?.cancel()
        upstream = nil
        if let instance { release(instance) }
        outgoingBody = sentBody
        forgetSent()
        progress = hasAnswerBegun ? SSEProgress() : nil
        tap = nil
        (recovery ?? makeRecovery()).sends += 1
    }

    private func makeRecovery() -> RequestRecovery {
        let made = RequestRecovery(self, deadline: proxy.loop.sweep.deadline(after: proxy.configuration.startTimeout))
        recovery = made
        return made
    }

    /// The request is over.
    func endRecovery() {
        stopWaitingForRecovery()
        recovery?.exchange = nil
        recovery = nil
    }

    /// Sends nothing on an unused connection before the loop has looked at it once more.
    ///
    /// Where the server died before the client sent its request, the end of the connection is known to the loop together
    /// with the request at the latest. Seen first, it leaves no doubt that the request did not run.
    func holdBack(_ connection: UpstreamConnection) {
        isHeldBack = true
        proxy.eventLoop.assumeIsolated().execute {
            guard self.isHeldBack, self.upstream === connection else { return }
            self.isHeldBack = false
            if self.isRequestComplete || !self.outgoingBody.isEmpty { self.flush() }
        }
    }

    // MARK: - Waiting

    private func waitForRecovery(afterFailure: Bool = false, denied: SessionBinding? = nil) {
        let attempt = recovery ?? makeRecovery()
        if !tried.isEmpty { tried = [] }
        if afterFailure { attempt.failures += 1 }
        if let denied { attempt.deniedBinding = denied }
        attempt.wasComplete = isRequestComplete
        guard attempt.sends <= RequestRecovery.sendLimit else { return respond(.outcomeUnknown) }
        guard proxy.recoveringCount < proxy.configuration.maximumWaitingRequests else {
            return reject(.unavailable(retryAfterSeconds: 1))
        }
        proxy.recoveringCount += 1
        attempt.isWaiting = true
        stage = .recovering
        expiry = attempt.deadline
        if !isWatched { proxy.loop.sweep.insert(self) }
        if afterFailure { pause(attempt) } else { goOn(attempt) }
    }

    /// The instance may live and just not answer, or its end may not be known here yet.
    private func pause(_ attempt: RequestRecovery) {
        proxy.eventLoop.assumeIsolated().scheduleTask(in: attempt.pause) {
            attempt.exchange?.goOn(attempt)
        }
    }

    private func goOn(_ attempt: RequestRecovery) {
        guard case .recovering = stage, recovery === attempt, let session, let name = adapter?.name else { return }
        guard let adapter = proxy.table.adapters[name] else { return reject(.adapterNotFound) }
        guard adapter.route.access.allowsUse(by: principal) else { return reject(.forbidden) }
        self.adapter = adapter
        guard let memory = proxy.recall(session) else { return reject(.sessionNotFound) }
        if session.binding != attempt.deniedBinding, let instance = adapter.instance(of: session.binding) {
            return resume(on: instance, attempt)
        }
        let waiter = SessionMemory.Waiter(request: NIOLoopBound(attempt, eventLoop: proxy.eventLoop))
        switch memory.join(session.binding, waiter) {
        case .leads: proxy.recover(memory)
        case .waits: break
        case .goesOn: pause(attempt)
        case .givesUp: reject(.sessionNotFound)
        case .isTooMany: reject(.unavailable(retryAfterSeconds: 1))
        }
    }

    func recoveryEnded(_ outcome: SessionMemory.Outcome, _ attempt: RequestRecovery) {
        guard case .recovering = stage, recovery === attempt else { return }
        switch outcome {
        case .moved: goOn(attempt)
        case .lost: reject(.sessionNotFound)
        case .postponed: reject(.unavailable(retryAfterSeconds: 1))
        }
    }

    // MARK: - Going on

    private func resume(on instance: InstanceTarget, _ attempt: RequestRecovery) {
        stopWaitingForRecovery()
        proxy.loop.sweep.remove(self)
        client.pauseReading(false)
        if attempt.failures > 0 || attempt.deniedBinding != nil { adapter?.meters.retries.increment() }
        if case .none = bodyCoding, isRequestComplete {
            if mustNotBeBatch, body.bytes.readableBytesView.first(where: { !Self.isSpace($0) }) == UInt8(ascii: "[") {
                return reject(.invalidRequest("batches are not part of this revision"))
            }
            return start(instance)
        }
        let held = body.take()
        start(instance)
        guard !attempt.wasComplete, held != nil || isRequestComplete else { return }
        if stage.isForwarding, self.instance === instance {
            forward(held ?? ByteBuffer())
        } else if let held {
            body.append(held)
        }
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D }

    /// Whoever waited does so no longer.
    ///
    /// Idempotent.
    func stopWaitingForRecovery() {
        guard let recovery, recovery.isWaiting else { return }
        recovery.isWaiting = false
        proxy.recoveringCount -= 1
    }

    // MARK: - What is learned from answers

    /// Learns from an answer in a session of an adapter with recovery, whose head has come.
    func observe(_ memory: SessionMemory, isSuccess: Bool) {
        guard isSuccess, method == .post, keepsSent, let envelope = sentEnvelope else { return }
        if envelope.shape == .notification, memory.awaitsInitialized,
            envelope.method.equals("notifications/initialized")
        {
            memory.note(initialized: Array(sentPayload.readableBytesView))
        } else if envelope.shape == .request, envelope.method.equals("tools/list") {
            tap = AnswerTap(isEventStream: isEventStream) { memory.note(ToolHints.read($0)) }
        }
    }

    /// Remembers the handshake of a session that begins with the answer whose head has come.
    func rememberHandshake(of session: BoundSession, _ adapter: AdapterTarget) {
        guard keepsSent, isRequestComplete else { return }
        var target = Array(adapter.route.path.utf8)
        if !query.isEmpty, head.count >= query.upperBound {
            target += head.bytes.readableBytesView.dropFirst(query.lowerBound).prefix(query.count)
        }
        proxy.remember(
            session, adapter,
            SessionMemory.Handshake(
                target: target, fields: Array(fields.bytes.readableBytesView),
                initialize: Array(sentPayload.readableBytesView)))
        guard let memory = session.memory else { return }
        tap = AnswerTap(isEventStream: isEventStream) { answer in
            if let terms = NegotiatedTerms(answer: answer) { memory.note(terms) }
        }
    }

    private var sentPayload: ByteBuffer { bodyCoding.isChunks ? ChunkCoding.payload(sentBody.bytes) : sentBody.bytes }

    // MARK: - A stream that goes on

    /// The head of the answer to a request whose client has the head of a stream already.
    ///
    /// - Returns: whether the body is wanted as payload.
    func continueStream(_ response: ResponseHead, isStream: Bool) -> Bool {
        guard response.status == 200 else {
            failed(.upstreamFailed)
            return false
        }
        if !isStream { recovery?.event = [] }
        progress = SSEProgress()
        hasAnswerBegun = true
        isPassedInPieces = true
        expiry = proxy.loop.sweep.now + proxy.configuration.keepAliveInterval
        if !isWatched { proxy.loop.sweep.insert(self) }
        return true
    }

    /// Makes an event of an answer that is none, for a client that has the head of a stream already.
    ///
    /// - Returns: what is to be sent now.
    func payloadAsEvent(_ bytes: ByteBuffer, isEnd: Bool) -> ByteBuffer {
        guard let recovery, recovery.event != nil else { return bytes }
        recovery.event?.append(contentsOf: bytes.readableBytesView)
        guard isEnd, let data = recovery.event else { return ByteBuffer() }
        return ByteBuffer(bytes: SSEEvent(name: "message", data: data).encoded)
    }
}
