// SPDX-License-Identifier: MIT

import HTTP
import MCPProtocol
import Model
import NIOCore
import RuntimeContract
import Wire

/// One request on an MCP route and its answer, between a client's and an instance's connection of the same loop.
///
/// One object serves all requests of a client's connection, one after the other. Confined to its loop. The work is spread
/// over extensions: Request (what the client sends), Sending (what goes to the instance), Upstream (what the instance
/// sends), Faults (what the gateway answers itself).
final class ProxyExchange: Expiring, RequestSink {
    enum Stage {
        /// Between requests.
        case idle
        /// The body is collected until it is known where the request belongs.
        case inspecting
        /// The body is collected for its id only: the answer is known already, ``KeptRequest/fault``.
        case rejecting
        /// All that is needed is here, and an instance to send it to is being started.
        case waiting(Placement.Purpose)
        /// The session has lost its instance, and is being begun anew.
        case recovering
        /// Bytes flow to the instance, or wait for the connection to it.
        case forwarding
        /// The answer was given; what is left of the body is dropped.
        case answered

        var isForwarding: Bool {
            if case .forwarding = self { true } else { false }
        }
    }

    /// How the body goes to the instance.
    enum BodyCoding {
        /// Not decided, or there is none.
        case none
        /// Of this length, as it came.
        case length(Int)
        /// In chunks of our own.
        case chunks

        var isChunks: Bool {
            if case .chunks = self { true } else { false }
        }
    }

    /// What the request is, as far as its answer is concerned.
    enum Purpose {
        /// Of a session, or of none.
        case plain
        /// Begins a legacy session.
        case initialize
        /// The stream of HTTP+SSE, which is a session.
        case eventStream
        /// Ends a session.
        case delete
        /// Of the modern era.
        case modern
    }

    // Small fields together: they lie in memory as they are declared, and each among large ones would take a word.

    // The request
    var stage = Stage.idle
    var purpose = Purpose.plain
    var method = RequestHead.Method.other
    var clientIsHTTP11 = true
    var isRequestComplete = false
    /// Whether the body is checked while it flows; the last piece waits in ``body``.
    var isCheckedOnTheWay = false
    var mustNotBeBatch = false
    /// Whether the request is counted among the streams of its principal.
    var isCountedAsStream = false

    // To the instance
    /// Whether nothing is sent before the loop has seen what the connection has to say; see ``holdBack(_:)``.
    var isHeldBack = false
    /// Whether ``sent`` and ``sentRest`` hold everything that was sent.
    var keepsSent = false
    var hasRetried = false
    var isCounted = false
    /// Whether what becomes of the request decides about the instance; see ``InstanceHealth``.
    var isTrial = false
    var expectsSession = false

    // The answer
    var hasAnswerBegun = false
    /// Whether all of the answer was given, and the rest of the request still goes to the instance.
    var isAnsweredEarly = false
    var answersInChunks = false
    /// Whether the answer is a stream that comments and a last event may be added to.
    var isEventStream = false
    var closesClient = false
    /// Whether the answer is the stream of `subscriptions/listen`.
    var isListening = false
    /// Whether the stream is to end where its present event does.
    var endsAfterEvent = false
    /// Whether the body passes as payload, wrapped in chunks again where the client takes them.
    var isPassedInPieces = false
    var progress: SSEProgress?
    /// Tells one request of the connection from the next.
    var turn: UInt32 = 0
    /// When the request's head came, in nanoseconds of the monotonic clock.
    var began: UInt64 = 0

    let proxy: ProxyLoop
    /// Keeps this exchange as its attachment; the connection lets go of it when it ends.
    let client: ClientLeg
    /// What is needed of the request until it is answered; that of the loop, which keeps nothing, while a stream stands.
    var kept: KeptRequest
    var adapter: AdapterTarget?
    var principal = Principal.development
    var session: BoundSession?
    /// The session's entry in the registry that this request is counted on.
    var entry: SessionRegistryEntry?
    var instance: InstanceTarget?
    var upstream: UpstreamConnection?
    /// What only some streams have.
    var stream: EventStreamState?
    /// Reads along what the gateway has to know of the answer, where the adapter has recovery.
    var tap: AnswerTap?
    /// What became of the request so far, where its session was lost on the way.
    var recovery: RequestRecovery?
    /// When a silent stream gets a comment, or a request has waited long enough for an instance.
    var expiry = NIODeadline.distantFuture

    init(proxy: ProxyLoop, client: ClientLeg) {
        self.proxy = proxy
        self.client = client
        kept = proxy.takeKept()
    }

    /// A body in chunks is unwrapped, and wrapped in chunks of our own where it has to be: only so it can be looked at,
    /// and what else stands between chunks is nothing for an instance.
    var wantsPayload: Bool { true }

    /// Begins a request: nothing of the last one is left.
    func reset(_ request: RequestView, origin: UnsafeRawBufferPointer?) {
        if kept === proxy.keptNothing { kept = proxy.takeKept() }
        turn &+= 1
        began = NIODeadline.now().uptimeNanoseconds
        stage = .idle
        purpose = .plain
        method = request.head.method
        clientIsHTTP11 = request.head.isHTTP11
        if let origin { kept.origin = Array(origin) } else if !kept.origin.isEmpty { kept.origin = [] }
        framing = request.head.framing
        isRequestComplete = framing.isComplete
        bodyBytes = 0
        bodyCoding = .none
        keepsSent = false
        mustNotBeBatch = false
        affinity = nil
        hasRetried = false
        hasAnswerBegun = false
        isAnsweredEarly = false
        answersInChunks = false
        isEventStream = false
        isCheckedOnTheWay = false
        closesClient = false
        endsAfterEvent = false
        isListening = false
        isPassedInPieces = false
    }

    /// Lets go of everything that belongs to the request; both connections are dealt with already.
    func clear() {
        if case .waiting = stage { proxy.stopWaiting(self) }
        if recovery != nil { endRecovery() }
        stage = .answered
        abandonTrial()
        if isCounted {
            isCounted = false
            instance?.load.endRequest()
        }
        if isCountedAsStream {
            isCountedAsStream = false
            proxy.standing.end(principal.id)
        }
        entry?.leave(at: proxy.now)
        entry = nil
        settleSession()
        if case .eventStream = purpose, let session { proxy.endForGood(session) }
        upstream = nil
        isHeldBack = false
        instance = nil
        adapter = nil
        session = nil
        stream = nil
        progress = nil
        tap = nil
        if isWatched { proxy.loop.sweep.remove(self) }
        kept.answerHead.clear()
        forgetRequest()
    }

    /// Lets go of all bytes of the request: a stream may be open for hours.
    func forgetRequest() {
        keepsSent = false
        kept.forget()
    }

    /// Gives back what only the request needed: the rest is a stream.
    func forgetKept() {
        guard kept !== proxy.keptNothing else { return }
        forgetRequest()
        kept.forgetConnection()
        proxy.giveBack(kept)
        kept = proxy.keptNothing
    }

    func forgetSent() {
        keepsSent = false
        sent.clear()
        sentRest.clear()
    }

    func settleSession() {
        guard expectsSession else { return }
        expectsSession = false
        instance?.load.settleSession()
    }

    // MARK: - The client's connection

    func compact() {
        kept.compact()
    }

    func writabilityChanged() {
        upstream?.pauseReading(!client.isWritable)
    }

    override var deadline: NIODeadline { expiry }

    override func deadlinePassed() {
        switch stage {
        case .waiting, .recovering: return respond(unavailability)
        case .rejecting: return respond(kept.fault)
        case .idle, .inspecting, .forwarding, .answered: break
        }
        sendKeepAlive()
        expiry = proxy.loop.sweep.now + proxy.configuration.keepAliveInterval
    }

    func inputClosed() {
        // On a stream a comment is the question whether anybody is there.
        sendKeepAlive()
    }

    func drain() {
        endStanding()
    }

    func clientGone() {
        // Both eras want the instance to see at once that nobody listens any more: legacy servers free the stream's
        // place, modern ones take it as the cancellation.
        upstream?.cancel()
        clear()
    }
}
