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
/// over extensions: Request (what the client sends), Upstream (what the instance sends), Faults (what the gateway
/// answers itself).
final class ProxyExchange: RequestSink, Expiring {
    enum Stage {
        /// Between requests.
        case idle
        /// The body is collected until it is known where the request belongs.
        case inspecting
        /// The body is collected for its id only: the answer is known already.
        case rejecting(GatewayFault)
        /// Bytes flow to the instance, or wait for the connection to it.
        case forwarding
        /// The answer was given; what is left of the body is dropped.
        case answered
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

    let proxy: ProxyLoop
    /// Keeps this exchange as its attachment; the connection lets go of it when it ends.
    let client: HTTPServerConnection

    // The request
    var stage = Stage.idle
    var purpose = Purpose.plain
    var method = RequestHead.Method.other
    var clientIsHTTP11 = true
    var origin: [UInt8] = []
    var adapter: AdapterTarget?
    var principal = Principal.development
    var session: BoundSession?
    var framing = BodyFraming.none
    var isRequestComplete = false
    /// The head as the client sent it, kept while it may still be needed.
    var head = ByteBuffer()
    /// Where the query of the target stands in ``head``.
    var query: Range<Int> = 0..<0
    /// What of the body has arrived and was not passed on.
    var body = ByteBuffer()
    var scanner: EnvelopeScanner?
    var scanError: EnvelopeError?
    var envelope: Envelope?
    /// The field lines for the instance, with ours.
    var fields = ByteBuffer()
    /// Whether the body is checked while it flows; the last piece waits in ``body``.
    var isCheckedOnTheWay = false
    var mustNotBeBatch = false

    // The instance
    var instance: InstanceTarget?
    var tried: [InstanceID] = []
    var upstream: UpstreamConnection?
    /// What waits for the connection.
    var outgoing = ByteBuffer()
    /// The whole request as it was sent, where it may be sent again.
    var replay: ByteBuffer?
    var hasRetried = false
    var isCounted = false
    var expectsSession = false

    // The answer
    var hasAnswerBegun = false
    var answersInChunks = false
    var isEventStream = false
    var closesClient = false
    var progress: SSEProgress?
    var rewriter: EndpointEventRewriter?
    /// The head of the answer, until the first bytes of the body that came with it are here too.
    var answerHead = ByteBuffer()
    /// Whether the body passes as payload, wrapped in chunks again where the client takes them.
    var isPassedInPieces = false
    /// When a silent stream gets a comment.
    var deadline = NIODeadline.distantFuture
    /// Belongs to the sweep.
    var sweepIndex = -1

    /// `Forwarded` and `X-Forwarded-*` for the host in ``forwardedHost``, made once per connection as a rule.
    var forwarded = ByteBuffer()
    var forwardedHost: [UInt8] = []

    init(proxy: ProxyLoop, client: HTTPServerConnection) {
        self.proxy = proxy
        self.client = client
    }

    /// A body in chunks is unwrapped while it has to be read; otherwise its bytes pass as they are.
    var wantsPayload: Bool {
        switch stage {
        case .inspecting, .rejecting: true
        case .forwarding: isCheckedOnTheWay
        case .idle, .answered: false
        }
    }

    /// Begins a request: nothing of the last one is left.
    func reset(_ request: RequestView, origin: UnsafeRawBufferPointer?) {
        stage = .idle
        purpose = .plain
        method = request.head.method
        clientIsHTTP11 = request.head.isHTTP11
        if let origin { self.origin = Array(origin) } else if !self.origin.isEmpty { self.origin = [] }
        framing = request.head.framing
        isRequestComplete = false
        mustNotBeBatch = false
        hasRetried = false
        hasAnswerBegun = false
        answersInChunks = false
        isEventStream = false
        isCheckedOnTheWay = false
        closesClient = false
        isPassedInPieces = false
    }

    /// Lets go of everything that belongs to the request; both connections are dealt with already.
    func clear() {
        stage = .answered
        if isCounted {
            isCounted = false
            instance?.load.endRequest()
            session?.entry?.leave(at: proxy.now)
        }
        settleSession()
        upstream = nil
        instance = nil
        adapter = nil
        session = nil
        if !tried.isEmpty { tried = [] }
        scanner = nil
        scanError = nil
        envelope = nil
        replay = nil
        progress = nil
        rewriter = nil
        head = ByteBuffer()
        body = ByteBuffer()
        fields = ByteBuffer()
        outgoing = ByteBuffer()
        answerHead = ByteBuffer()
        if sweepIndex >= 0 { proxy.loop.sweep.remove(self) }
    }

    func settleSession() {
        guard expectsSession else { return }
        expectsSession = false
        instance?.load.settleSession()
    }

    // MARK: - The client's connection

    func writabilityChanged() {
        upstream?.pauseReading(!client.isWritable)
    }

    func deadlinePassed() {
        sendKeepAlive()
        deadline = proxy.loop.sweep.now + proxy.configuration.keepAliveInterval
    }

    func clientGone() {
        // Both eras want the instance to see at once that nobody listens any more: legacy servers free the stream's
        // place, modern ones take it as the cancellation.
        upstream?.close()
        clear()
    }
}
