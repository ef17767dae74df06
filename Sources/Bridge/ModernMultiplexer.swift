// SPDX-License-Identifier: MIT

import MCPProtocol
import NIOCore

/// Lets many clients of the modern era share one child: rewrites what has to be unique and restores it on the way back.
///
/// A pure value without I/O. Every request gets a number that this child has never seen, as its id and as its progress
/// token; in the child's messages the number is replaced by what the client had written there, type and spelling
/// included. Rewritten are ids, progress tokens, the `requestId` of a cancellation and subscription ids, which are the
/// ids of `subscriptions/listen` requests (MCP 2026-07-28, patterns/subscriptions).
struct ModernMultiplexer {
    /// One request in flight: the number that stands for its id.
    struct Call: Hashable {
        /// Unique for the child, from 1.
        let number: UInt64
    }

    /// What becomes of a message of the child.
    enum Verdict: Equatable {
        /// It goes to the client of `call`.
        case deliver(Call, ByteBuffer, Kind)
        /// It has no receiver; the text says why, for the log.
        case ignored(String)
    }

    /// What a message for a client is.
    enum Kind: Equatable {
        /// Something before the answer.
        case notification
        /// The answer, and with it the end; with the error's code, where it is an error.
        case answer(isError: Bool)
        /// A cancellation by the server: the end without an answer.
        case cancellation
    }

    private struct Entry {
        let id: JSONRPCID
        let tokenText: [UInt8]?
        let isSubscription: Bool
    }

    private var calls: [UInt64: Entry] = [:]
    private var lastNumber: UInt64 = 0

    /// Nothing in flight.
    init() {}

    /// How many requests have no answer yet.
    var callsInFlight: Int { calls.count }

    /// A client sends a request: what to call it, and the line for the child.
    mutating func send(_ request: Message) -> (call: Call, line: ByteBuffer) {
        lastNumber += 1
        let number = Array(String(lastNumber).utf8)
        var edits: [EnvelopeEdit] = []
        if let location = request.envelope.idLocation { edits.append(EnvelopeEdit(location.range, number)) }
        var token: [UInt8]?
        if let location = request.envelope.metaProgressToken {
            token = request.text(at: location)
            edits.append(EnvelopeEdit(location.range, number))
        }
        calls[lastNumber] = Entry(
            id: request.id, tokenText: token,
            isSubscription: request.envelope.method.equals("subscriptions/listen"))
        return (Call(number: lastNumber), request.applying(edits))
    }

    /// The client of `call` has gone, which cancels the request (MCP 2026-07-28): the line that tells the child, or
    /// `nil` when the request is not in flight any more.
    ///
    /// Whatever the child still says about it is ignored.
    mutating func cancel(_ call: Call) -> ByteBuffer? {
        guard calls.removeValue(forKey: call.number) != nil else { return nil }
        let reason = "the client closed the stream"
        return ByteBuffer(
            string: #"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"#
                + #"\#(call.number),"reason":"\#(reason)"}}"#)
    }

    /// How a request ends that the child will not answer.
    struct Failure: Equatable {
        /// The request.
        let call: Call
        /// The error with the client's id.
        let error: ByteBuffer
        /// What ends a subscription in good order, with the client's id; `nil` for other requests.
        let completion: ByteBuffer?
    }

    /// The child is gone: the ends of all requests in flight, the oldest first; the errors say `message`.
    mutating func fail(_ message: String) -> [Failure] {
        let failed = calls.sorted { $0.key < $1.key }
        calls = [:]
        return failed.map { number, entry in
            Failure(
                call: Call(number: number), error: ErrorBody.json(id: entry.id, code: -32603, message: message),
                completion: entry.isSubscription ? ResultBody.completion(subscription: entry.id) : nil)
        }
    }

    /// The child says something.
    mutating func receive(_ message: Message) -> Verdict {
        switch message.envelope.shape {
        case .response: receiveResponse(message)
        case .notification: receiveNotification(message)
        case .request: .ignored("a server of this era must not send requests")
        case .batch, .invalid: .ignored("not a message")
        }
    }

    private mutating func receiveResponse(_ message: Message) -> Verdict {
        guard let location = message.envelope.idLocation, let number = number(in: message, at: location),
            let entry = calls.removeValue(forKey: number)
        else { return .ignored("answers no request in flight") }
        var edits = [EnvelopeEdit(location.range, Array(entry.id.json))]
        if let subscription = message.envelope.resultSubscriptionID {
            edits.append(EnvelopeEdit(subscription.range, Array(entry.id.json)))
        }
        let kind = Kind.answer(isError: message.envelope.hasError)
        return .deliver(Call(number: number), message.applying(edits), kind)
    }

    private mutating func receiveNotification(_ message: Message) -> Verdict {
        let envelope = message.envelope
        if let location = envelope.subscriptionID {
            guard let number = number(in: message, at: location), let entry = calls[number] else {
                return .ignored("belongs to no subscription")
            }
            let edit = EnvelopeEdit(location.range, Array(entry.id.json))
            return .deliver(Call(number: number), message.applying([edit]), .notification)
        }
        if envelope.method.equals("notifications/progress") {
            guard let location = envelope.progressToken, let number = number(in: message, at: location),
                let token = calls[number]?.tokenText
            else { return .ignored("progress of no request in flight") }
            let edit = EnvelopeEdit(location.range, token)
            return .deliver(Call(number: number), message.applying([edit]), .notification)
        }
        if envelope.method.equals("notifications/cancelled") {
            guard let location = envelope.requestID, let number = number(in: message, at: location),
                let entry = calls.removeValue(forKey: number)
            else { return .ignored("cancels no request in flight") }
            let edit = EnvelopeEdit(location.range, Array(entry.id.json))
            return .deliver(Call(number: number), message.applying([edit]), .cancellation)
        }
        // Nothing else says which request it is about (a log message, for one). With one request in flight there is
        // no doubt; with several, another client might get to see what is none of its business.
        let others = calls.filter { !$0.value.isSubscription }
        guard others.count == 1, let only = others.first else { return .ignored("belongs to no single request") }
        return .deliver(Call(number: only.key), message.bytes, .notification)
    }

    /// Reads back a number that ``send(_:)`` gave out; a server may have turned it into a string.
    private func number(in message: Message, at location: Envelope.Location) -> UInt64? {
        let text = message.text(at: location).filter { $0 != UInt8(ascii: "\"") }
        return UInt64(String(decoding: text, as: UTF8.self))
    }
}
