// SPDX-License-Identifier: MIT

import MCPProtocol
import NIOCore

/// What goes on between one client and its own child in the legacy era: which message belongs on which stream.
///
/// A pure value without I/O. Ids pass through byte for byte, since client and child talk to nobody else. Where a
/// message of the child goes, on exactly one stream (MCP: "MUST NOT broadcast"):
/// - a response: on the stream of the POST that asked;
/// - progress: on the stream of the request that gave the token;
/// - a request or another notification: on the stream of the one POST that is in flight, if there is just one;
///   otherwise on the stream that a GET opened; without such a stream, a request goes to the oldest POST stream that has
///   a reader, since a request that nobody sees would block the child;
/// - news that belong to no request (`…/list_changed`, `resources/updated`): always on the GET's stream;
/// - with no reader at all, it waits in the GET's stream, bounded.
struct LegacyConversation {
    /// What the owner does after a message of the child.
    enum Verdict: Equatable {
        /// The message is in the log of the stream. The child's requests in `dropped` gave way to it unread.
        case delivered(StreamID, dropped: [IDKey])
        /// The message wants this answer, and nobody but us can give it.
        case answer(ByteBuffer)
        /// The message has no receiver; the text says why, for the log.
        case ignored(String)
    }

    /// Why a POST is not taken.
    enum Refusal: Error, Equatable {
        /// A request with this id is in flight: two answers could not be told apart.
        case identifierInUse(JSONRPCID)
        /// There are too many requests in flight.
        case tooManyRequests
    }

    private struct Request {
        let id: JSONRPCID
        let stream: StreamID
        let progressToken: IDKey?
        var cancelled: NIODeadline?
    }

    private struct Post {
        var unanswered: Int
        let carriesMessages: Bool
    }

    /// How many requests of a client may be in flight, and how many of its child.
    static let maximumRequests = 1024

    /// The streams and what is on them.
    var log: StreamLog

    private var requests: [IDKey: Request] = [:]
    private var progressTokens: [IDKey: IDKey] = [:]
    private var posts: [StreamID: Post] = [:]
    private var childRequests: [IDKey: (id: JSONRPCID, stream: StreamID)] = [:]

    /// A conversation in which nothing was said.
    init(limits: StreamLog.Limits) {
        log = StreamLog(limits: limits)
    }

    /// How many requests of the client have no answer yet.
    var requestsInFlight: Int { requests.count }

    /// The client sends `messages`, of which at least one is a request, in one POST.
    ///
    /// Opens the stream that their answers go to; `carriesMessages` tells whether anything else may go there too.
    mutating func post(_ messages: [Message], carriesMessages: Bool) throws(Refusal) -> StreamID {
        let asked = messages.filter { $0.envelope.shape == .request }
        guard requests.count + asked.count <= Self.maximumRequests else { throw .tooManyRequests }
        var keys: Set<IDKey> = []
        for message in asked {
            guard let key = message.idKey, requests[key] == nil, keys.insert(key).inserted else {
                throw .identifierInUse(message.id)
            }
        }
        let stream = log.open()
        posts[stream] = Post(unanswered: asked.count, carriesMessages: carriesMessages)
        for message in asked {
            guard let key = message.idKey else { continue }
            let token = message.key(at: message.envelope.metaProgressToken)
            if let token { progressTokens[token] = key }
            requests[key] = Request(id: message.id, stream: stream, progressToken: token)
        }
        return stream
    }

    /// The client sends a notification; remembers which of its requests it no longer wants answered.
    mutating func notify(_ message: Message, now: NIODeadline) {
        guard message.envelope.method.equals("notifications/cancelled"),
            let key = message.key(at: message.envelope.requestID)
        else { return }
        requests[key]?.cancelled = now
    }

    /// The client answers; whether the child waits for it.
    mutating func respond(_ message: Message) -> Bool {
        guard let key = message.idKey else { return false }
        return childRequests.removeValue(forKey: key) != nil
    }

    /// The child says something.
    mutating func receive(_ message: Message) -> Verdict {
        switch message.envelope.shape {
        case .response: receiveResponse(message)
        case .request: receiveRequest(message)
        case .notification: receiveNotification(message)
        case .batch, .invalid: .ignored("not a message")
        }
    }

    /// Ends the wait for requests that were cancelled before `deadline`: a child need not answer them, but the
    /// client's stream must end.
    ///
    /// Returns the streams that have something new.
    mutating func expireCancelled(before deadline: NIODeadline) -> [StreamID] {
        let expired = requests.filter { $0.value.cancelled.map { $0 <= deadline } ?? false }
        return expired.map { key, request in
            close(key, with: ErrorBody.json(id: request.id, code: -32800, message: "request cancelled"))
            return request.stream
        }
    }

    /// The child is gone: answers every request that waits with `message`.
    ///
    /// Returns the streams that have an end now.
    mutating func fail(_ message: String) -> [StreamID] {
        let streams = Set(requests.values.map(\.stream))
        for (key, request) in requests {
            close(key, with: ErrorBody.json(id: request.id, code: -32603, message: message))
        }
        childRequests = [:]
        return streams.sorted { $0.number < $1.number }
    }

    /// The answers for the child to its requests in `dropped`, which no client will see.
    mutating func refuse(_ dropped: [IDKey]) -> [ByteBuffer] {
        dropped.compactMap { key in
            guard let request = childRequests.removeValue(forKey: key) else { return nil }
            return ErrorBody.json(id: request.id, code: -32603, message: "the client did not take the request")
        }
    }

    /// Forgets the stream of a POST whose answer was one JSON text: there is nothing to resume.
    mutating func discard(_ stream: StreamID) {
        log.discard(stream)
    }

    // MARK: Messages of the child

    private mutating func receiveResponse(_ message: Message) -> Verdict {
        guard let key = message.idKey, let request = requests[key] else { return .ignored("answers no request") }
        return .delivered(request.stream, dropped: close(key, with: message.bytes))
    }

    private mutating func receiveRequest(_ message: Message) -> Verdict {
        guard let key = message.idKey else { return .ignored("not a message") }
        let hasReader = log.isAttached(.standalone) || posts.contains { $1.carriesMessages && log.isAttached($0) }
        if message.envelope.method.equals("ping"), !hasReader {
            return .answer(ResultBody.empty(id: message.id))
        }
        guard childRequests[key] == nil, childRequests.count < Self.maximumRequests else {
            return .answer(
                ErrorBody.json(id: message.id, code: -32603, message: "too many requests, or the id is in use"))
        }
        let stream = placement(of: .question)
        childRequests[key] = (message.id, stream)
        return .delivered(stream, dropped: log.append(message.bytes, to: stream, childRequest: key))
    }

    private mutating func receiveNotification(_ message: Message) -> Verdict {
        let envelope = message.envelope
        if envelope.method.equals("notifications/progress") {
            guard let token = message.key(at: envelope.progressToken), let key = progressTokens[token],
                let request = requests[key]
            else { return .ignored("progress of no request in flight") }
            let stream = posts[request.stream]?.carriesMessages == true ? request.stream : placement(of: .note)
            return .delivered(stream, dropped: log.append(message.bytes, to: stream))
        }
        if envelope.method.equals("notifications/cancelled") {
            guard let key = message.key(at: envelope.requestID), let request = childRequests[key] else {
                return .ignored("cancels no request in flight")
            }
            let stream = log.contains(request.stream) && isOpen(request.stream) ? request.stream : .standalone
            return .delivered(stream, dropped: log.append(message.bytes, to: stream))
        }
        let stream = placement(of: isNews(envelope) ? .news : .note)
        return .delivered(stream, dropped: log.append(message.bytes, to: stream))
    }

    private func isNews(_ envelope: Envelope) -> Bool {
        envelope.method.equals("notifications/resources/updated")
            || envelope.method.equals("notifications/tools/list_changed")
            || envelope.method.equals("notifications/prompts/list_changed")
            || envelope.method.equals("notifications/resources/list_changed")
    }

    private func isOpen(_ stream: StreamID) -> Bool {
        stream == .standalone || posts[stream] != nil
    }

    private enum Purpose {
        /// Belongs to no request.
        case news
        /// May be missed.
        case note
        /// Waits for an answer.
        case question
    }

    private func placement(of purpose: Purpose) -> StreamID {
        guard purpose != .news else { return .standalone }
        let candidates = posts.filter(\.value.carriesMessages).keys
        let read = candidates.filter { log.isAttached($0) }
        if candidates.count == 1, let only = read.first { return only }
        if log.isAttached(.standalone) { return .standalone }
        if purpose == .question, let oldest = read.min(by: { $0.number < $1.number }) { return oldest }
        if candidates.count == 1, let only = candidates.first { return only }
        return .standalone
    }

    /// Puts the answer of request `key` on its stream, and ends the stream with its last answer.
    @discardableResult
    private mutating func close(_ key: IDKey, with answer: ByteBuffer) -> [IDKey] {
        guard let request = requests.removeValue(forKey: key) else { return [] }
        if let token = request.progressToken, progressTokens[token] == key { progressTokens[token] = nil }
        let dropped = log.append(answer, to: request.stream)
        posts[request.stream]?.unanswered -= 1
        if posts[request.stream]?.unanswered == 0 {
            posts[request.stream] = nil
            log.finish(request.stream)
        }
        return dropped
    }
}
