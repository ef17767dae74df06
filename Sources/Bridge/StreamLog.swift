// SPDX-License-Identifier: MIT

import NIOCore

/// The events of a session's streams: what waits for a reader and what was read and may be asked for again.
///
/// A pure value. One log serves as the outbound queue of every stream and as the replay buffer of the session.
/// - Events that an attached reader has not taken are never dropped; they count in ``pendingBytes``, and the owner
///   stops reading from the child while there are too many of them.
/// - All others, read ones and those of streams without a reader, share one bound and go oldest first.
struct StreamLog {
    /// How much may be kept for readers that come back.
    struct Limits: Hashable, Sendable {
        /// The most events; 1 or more.
        var maximumEvents: Int
        /// The most bytes of messages; the newest event is kept even when it is larger.
        var maximumBytes: Int
    }

    /// One event for a reader.
    struct Delivery: Equatable {
        /// Its identifier.
        let id: EventID
        /// The message; `nil` in the event that opens a stream, which carries an identifier only.
        let message: ByteBuffer?
    }

    private struct Event {
        let sequence: UInt64
        let message: ByteBuffer?
        let childRequest: IDKey?
        var bytes: Int { message?.readableBytes ?? 0 }
    }

    private struct Stream {
        var events = CircularBuffer<Event>()
        /// The events up to this one were handed to a reader.
        var delivered: UInt64 = 0
        var isAttached = false
        var isFinished = false

        /// The oldest event that was not handed out; O(log n), since sequences rise.
        var firstUndelivered: Event? {
            var low = events.startIndex
            var length = events.count
            while length > 0 {
                let half = length / 2
                let middle = events.index(low, offsetBy: half)
                if events[middle].sequence <= delivered {
                    low = events.index(after: middle)
                    length -= half + 1
                } else {
                    length = half
                }
            }
            return low == events.endIndex ? nil : events[low]
        }

        var undeliveredBytes: Int {
            events.reduce(0) { $1.sequence > delivered ? $0 + $1.bytes : $0 }
        }
    }

    private let limits: Limits
    private var streams: [StreamID: Stream] = [.standalone: Stream()]
    private var order = CircularBuffer<EventID>()
    private var lastSequence: UInt64 = 0
    private var lastStream: UInt32 = 0
    private var storedBytes = 0

    /// The bytes that attached readers have not taken yet.
    private(set) var pendingBytes = 0

    /// An empty log.
    init(limits: Limits) {
        precondition(limits.maximumEvents >= 1, "a log keeps at least one event")
        self.limits = limits
    }

    /// How many events are stored.
    var eventCount: Int { order.count }

    /// Whether `stream` is known: open, or finished with events left to replay.
    func contains(_ stream: StreamID) -> Bool { streams[stream] != nil }

    /// Whether a reader is attached to `stream`.
    func isAttached(_ stream: StreamID) -> Bool { streams[stream]?.isAttached ?? false }

    /// Whether `stream` is finished and its reader has taken everything, or it is unknown.
    func isDrained(_ stream: StreamID) -> Bool {
        guard let entry = streams[stream] else { return true }
        return entry.isFinished && (entry.events.last?.sequence ?? 0) <= entry.delivered
    }

    /// Whether nothing is stored of `stream`.
    func isEmpty(_ stream: StreamID) -> Bool { streams[stream]?.events.isEmpty ?? true }

    /// Whether an attached reader has events of `stream` to take.
    func hasPending(_ stream: StreamID) -> Bool {
        guard let entry = streams[stream], entry.isAttached else { return false }
        return entry.firstUndelivered != nil
    }

    /// Opens a stream; it exists until ``finish(_:)`` and then for as long as events of it are stored.
    mutating func open() -> StreamID {
        lastStream += 1
        let stream = StreamID(number: lastStream)
        streams[stream] = Stream()
        return stream
    }

    /// Adds an event that carries an identifier and no message, to resume from before the first message.
    mutating func prime(_ stream: StreamID) {
        _ = append(nil, to: stream, childRequest: nil)
    }

    /// Adds a message to a stream that is not finished; returns the child's requests that were dropped unread.
    mutating func append(_ message: ByteBuffer, to stream: StreamID, childRequest: IDKey? = nil) -> [IDKey] {
        append(.some(message), to: stream, childRequest: childRequest)
    }

    /// Says that no event will be added to `stream` any more.
    ///
    /// Idempotent.
    mutating func finish(_ stream: StreamID) {
        guard stream != .standalone, streams[stream] != nil else { return }
        streams[stream]?.isFinished = true
        forgetIfDone(stream)
    }

    /// Forgets `stream` and its events at once.
    mutating func discard(_ stream: StreamID) {
        guard let entry = streams.removeValue(forKey: stream) else { return }
        if entry.isAttached { pendingBytes -= entry.undeliveredBytes }
        storedBytes -= entry.events.reduce(0) { $0 + $1.bytes }
        order.removeAll { $0.stream == stream }
        if stream == .standalone { streams[.standalone] = Stream() }
    }

    /// Gives `stream` a reader, from the first event that no reader has taken.
    ///
    /// False when it is unknown or has one.
    mutating func attach(_ stream: StreamID) -> Bool {
        guard let entry = streams[stream], !entry.isAttached else { return false }
        streams[stream]?.isAttached = true
        pendingBytes += entry.undeliveredBytes
        return true
    }

    /// Gives the stream of `last` a reader, from the event after `last`.
    ///
    /// The owner has detached any earlier reader.
    mutating func resume(after last: EventID) -> Bool {
        guard var entry = streams[last.stream], !entry.isAttached, last.sequence <= lastSequence else { return false }
        entry.delivered = last.sequence
        entry.isAttached = true
        streams[last.stream] = entry
        pendingBytes += entry.undeliveredBytes
        return true
    }

    /// Takes the reader away.
    ///
    /// The stream goes on collecting. Idempotent.
    mutating func detach(_ stream: StreamID) -> [IDKey] {
        guard let entry = streams[stream], entry.isAttached else { return [] }
        pendingBytes -= entry.undeliveredBytes
        streams[stream]?.isAttached = false
        forgetIfDone(stream)
        return evict()
    }

    /// The next event for the reader of `stream`; `nil` when it has taken all there is.
    mutating func next(_ stream: StreamID) -> Delivery? {
        guard let entry = streams[stream], entry.isAttached, let event = entry.firstUndelivered else { return nil }
        streams[stream]?.delivered = event.sequence
        pendingBytes -= event.bytes
        return Delivery(id: EventID(stream: stream, sequence: event.sequence), message: event.message)
    }

    private mutating func append(_ message: ByteBuffer?, to stream: StreamID, childRequest: IDKey?) -> [IDKey] {
        guard var entry = streams.removeValue(forKey: stream) else { return childRequest.map { [$0] } ?? [] }
        precondition(!entry.isFinished, "a finished stream gets no events")
        lastSequence += 1
        let event = Event(sequence: lastSequence, message: message, childRequest: childRequest)
        entry.events.append(event)
        if entry.isAttached { pendingBytes += event.bytes }
        streams[stream] = entry
        order.append(EventID(stream: stream, sequence: lastSequence))
        storedBytes += event.bytes
        return evict()
    }

    /// Drops the oldest events that no attached reader waits for, until the bounds hold or only the newest is left.
    private mutating func evict() -> [IDKey] {
        var dropped: [IDKey] = []
        var candidate = order.startIndex
        while order.count > limits.maximumEvents || storedBytes - pendingBytes > limits.maximumBytes {
            guard candidate < order.index(before: order.endIndex) else { break }
            let id = order[candidate]
            guard let entry = streams[id.stream], !(entry.isAttached && id.sequence > entry.delivered) else {
                candidate = order.index(after: candidate)
                continue
            }
            if let request = drop(id, unread: id.sequence > entry.delivered) { dropped.append(request) }
            let offset = order.distance(from: order.startIndex, to: candidate)
            order.remove(at: candidate)
            candidate = order.index(order.startIndex, offsetBy: offset)
        }
        return dropped
    }

    private mutating func drop(_ id: EventID, unread: Bool) -> IDKey? {
        guard var entry = streams.removeValue(forKey: id.stream),
            let index = entry.events.firstIndex(where: { $0.sequence == id.sequence })
        else { return nil }
        let event = entry.events.remove(at: index)
        storedBytes -= event.bytes
        streams[id.stream] = entry
        forgetIfDone(id.stream)
        return unread ? event.childRequest : nil
    }

    private mutating func forgetIfDone(_ stream: StreamID) {
        guard let entry = streams[stream], entry.isFinished, !entry.isAttached, entry.events.isEmpty else { return }
        streams[stream] = nil
    }
}
