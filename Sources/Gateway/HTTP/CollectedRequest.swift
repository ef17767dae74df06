// SPDX-License-Identifier: MIT

public import NIOCore
internal import Wire

/// Answers collected requests on the loop they came on.
///
/// Confined to the loop.
public protocol LoopResponder: AnyObject {
    /// Takes over `exchange`, which must be answered in the end.
    func respond(to request: HTTPRequest, on exchange: HTTPExchange)
}

/// Collects the body of a request and hands the whole to a ``LoopResponder``.
public final class CollectedRequest: RequestSink {
    /// The framing of chunks is taken off.
    public let wantsPayload = true

    private let exchange: HTTPExchange
    private let responder: any LoopResponder
    private let maximumBodyBytes: Int
    private var request: HTTPRequest
    private var isRefused = false

    /// Begins to collect `view`.
    ///
    /// - Parameters:
    ///   - maximumBodyBytes: A larger body is answered with 413; one that is announced is refused before it is sent.
    public init(
        _ view: RequestView, on connection: ClientLeg, maximumBodyBytes: Int, responder: any LoopResponder
    ) {
        self.responder = responder
        self.maximumBodyBytes = maximumBodyBytes
        exchange = HTTPExchange(
            connection: connection, isHead: view.head.method == .head, isHTTP11: view.head.isHTTP11)
        request = HTTPRequest(view, peer: connection.peer)
        if let length = view.head.framing.remainingLength, length > UInt64(maximumBodyBytes) { refuse() }
    }

    /// Keeps the bytes, and hands the request on at its end.
    public func receive(_ bytes: ByteBuffer, isEnd: Bool) {
        guard !isRefused else { return }
        guard request.body.readableBytes + bytes.readableBytes <= maximumBodyBytes else { return refuse() }
        if request.body.readableBytes == 0 {
            request.body = bytes
        } else {
            request.body.writeImmutableBuffer(bytes)
        }
        if isEnd { responder.respond(to: request, on: exchange) }
    }

    /// Keeps no more than the body.
    public func compact() {
        request.body.fit()
    }

    /// Tells the one who answers.
    public func writabilityChanged() {
        exchange.onWritabilityChanged?()
    }

    /// See ``HTTPExchange/isEndless``; asks on an event stream whether the client is there.
    public func inputClosed() {
        exchange.inputClosed()
    }

    /// Tells the one who answers.
    public func drain() {
        exchange.drain()
    }

    /// Tells the one who answers, if the answer has not ended.
    public func clientGone() {
        exchange.clientGone()
    }

    /// Answers in the form of the control plane's errors (RFC 9457), which is who such requests are for.
    private func refuse() {
        isRefused = true
        exchange.respond(
            status: 413, headers: ["Content-Type": "application/problem+json"],
            body: ByteBuffer(
                string: """
                    {"type":"about:blank","title":"Content Too Large","status":413,"code":"bodyTooLarge",\
                    "detail":"the body must not be larger than \(maximumBodyBytes) bytes"}
                    """))
    }
}

extension HTTPRequest {
    /// The values of a request that stands in a connection's buffer; the body is still empty.
    init(_ view: RequestView, peer: String) {
        let target = view.text(view.head.target)
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        var headers = HTTPHeaders()
        for line in view.lines { headers.append(view.text(line.nameRange), view.text(line.value)) }
        self.init(
            method: view.text(view.head.methodRange), path: PercentCoding.decode(parts.first ?? ""),
            query: parts.count > 1 ? PercentCoding.query(parts[1]) : [], target: target, headers: headers, peer: peer)
    }
}
