// SPDX-License-Identifier: MIT

import HTTP
import MCPProtocol
import Model
import RuntimeContract
import Wire

/// What is kept of a request while it is being decided where it goes, and while it may have to be sent again.
///
/// An object of its own, because a stream that stands open for hours needs nothing of it: it is given back to the loop then,
/// for the next request. Confined to its loop.
final class KeptRequest {
    /// The page that the client says it acts for.
    var origin: [UInt8] = []
    /// How the body comes.
    var framing = BodyFraming.none
    /// How much of the body has arrived.
    var bodyBytes = 0
    /// The head as the client sent it, kept while it may still be needed.
    var head = HeldBytes()
    /// Where the query of the target stands in ``head``.
    var query: Range<Int> = 0..<0
    /// What of the body has arrived and was not passed on: payload.
    var body = HeldBytes()
    /// What the body says, where that decides where the request goes.
    var inspection: BodyInspection?
    /// The field lines for the instance, with ours.
    var fields = HeldBytes()
    /// Where the routing fields stand in ``head``.
    var routing = RoutingFieldPlaces()
    /// What the instance is chosen by, of requests that are kept together.
    var affinity: UInt64?
    /// The instances that did not take it.
    var tried: [InstanceID] = []
    /// How the body goes to the instance.
    var bodyCoding = ProxyExchange.BodyCoding.none
    /// The head that waits for the connection.
    var outgoingHead = HeldBytes()
    /// What of the body waits for the connection, as it will be sent.
    var outgoingBody = HeldBytes()
    /// What was sent at first and may have to be sent again, or be read for the id: the head, and a small body.
    var sent = HeldBytes()
    /// Where the head ends in ``sent``.
    var sentHeadLength = 0
    /// What of the body was sent afterwards.
    var sentRest = HeldBytes()

    /// What it is answered with when its id is known.
    var fault = GatewayFault.sessionRequired
    /// The head of the answer, until the first bytes of the body that came with it are here too.
    var answerHead = HeldBytes()
    /// `Forwarded` and `X-Forwarded-*` for the host in ``forwardedHost``, made once per connection as a rule.
    var forwarded = HeldBytes()
    var forwardedHost: [UInt8] = []

    /// Keeps nothing.
    init() {}

    /// Lets go of everything that takes room.
    ///
    /// Idempotent.
    func forget() {
        if !tried.isEmpty { tried = [] }
        if inspection != nil { inspection = nil }
        head.clear()
        body.clear()
        fields.clear()
        outgoingHead.clear()
        outgoingBody.clear()
        sent.clear()
        sentRest.clear()
    }

    /// Lets go also of what is good for other requests of the connection.
    func forgetConnection() {
        forwarded.clear()
        forwardedHost = []
    }

    /// See ``HTTP/RequestSink/compact()``.
    func compact() {
        head.fit()
        body.fit()
        outgoingBody.fit()
        sentRest.fit()
    }
}

extension ProxyExchange {
    var origin: [UInt8] { kept.origin }
    var bodyBytes: Int {
        get { kept.bodyBytes }
        set { kept.bodyBytes = newValue }
    }
    var framing: BodyFraming {
        get { kept.framing }
        set { kept.framing = newValue }
    }
    var head: HeldBytes {
        _read { yield kept.head }
        _modify { yield &kept.head }
    }
    var query: Range<Int> {
        get { kept.query }
        set { kept.query = newValue }
    }
    var body: HeldBytes {
        _read { yield kept.body }
        _modify { yield &kept.body }
    }
    var inspection: BodyInspection? {
        get { kept.inspection }
        set { kept.inspection = newValue }
    }
    var fields: HeldBytes {
        _read { yield kept.fields }
        _modify { yield &kept.fields }
    }
    var routing: RoutingFieldPlaces {
        get { kept.routing }
        set { kept.routing = newValue }
    }
    var affinity: UInt64? {
        get { kept.affinity }
        set { kept.affinity = newValue }
    }
    var tried: [InstanceID] {
        get { kept.tried }
        _modify { yield &kept.tried }
    }
    var bodyCoding: BodyCoding {
        get { kept.bodyCoding }
        set { kept.bodyCoding = newValue }
    }
    var outgoingHead: HeldBytes {
        _read { yield kept.outgoingHead }
        _modify { yield &kept.outgoingHead }
    }
    var outgoingBody: HeldBytes {
        _read { yield kept.outgoingBody }
        _modify { yield &kept.outgoingBody }
    }
    var sent: HeldBytes {
        _read { yield kept.sent }
        _modify { yield &kept.sent }
    }
    var sentHeadLength: Int {
        get { kept.sentHeadLength }
        set { kept.sentHeadLength = newValue }
    }
    var sentRest: HeldBytes {
        _read { yield kept.sentRest }
        _modify { yield &kept.sentRest }
    }
}
