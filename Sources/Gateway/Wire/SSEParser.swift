// SPDX-License-Identifier: MIT

/// Reads the events of a stream in pieces cut anywhere (WHATWG HTML §9.2.6).
///
/// Unlike a browser it also gives events without data, because an `id` or a `retry` alone means something here.
/// Comments are skipped; an event that the stream's end cuts off is never given.
public struct SSEParser: Sendable {
    private let maximumEventBytes: Int
    private var splitter = SSELineSplitter()
    private var line: [UInt8] = []
    private var event = SSEEvent()
    private var eventBytes = 0
    private var isFirstLine = true

    /// A parser at the start of a stream whose events have at most `maximumEventBytes` bytes each.
    public init(maximumEventBytes: Int = 4 << 20) {
        self.maximumEventBytes = maximumEventBytes
    }

    /// Reads the next piece, and returns the events that end in it.
    public mutating func consume(_ chunk: UnsafeRawBufferPointer) throws(SSEError) -> [SSEEvent] {
        var events: [SSEEvent] = []
        var index = 0
        while let piece = splitter.next(chunk, from: index) {
            index = piece.end.upperBound
            if piece.isRestOfLineEnd { continue }
            eventBytes += piece.content.count
            guard eventBytes <= maximumEventBytes else { throw .eventTooLong }
            line.append(contentsOf: UnsafeRawBufferPointer(rebasing: chunk[piece.content]))
            if piece.endsLine, let ended = endLine() { events.append(ended) }
        }
        return events
    }

    /// Reads the next piece, and returns the events that end in it.
    public mutating func consume(_ chunk: [UInt8]) throws(SSEError) -> [SSEEvent] {
        let result = chunk.withUnsafeBytes { pointer in
            Result { () throws(SSEError) -> [SSEEvent] in try consume(pointer) }
        }
        return try result.get()
    }

    private mutating func endLine() -> SSEEvent? {
        defer { line.removeAll(keepingCapacity: true) }
        if isFirstLine {
            isFirstLine = false
            if line.starts(with: [0xEF, 0xBB, 0xBF]) { line.removeFirst(3) }
        }
        guard !line.isEmpty else {
            defer {
                event = SSEEvent()
                eventBytes = 0
            }
            return event == SSEEvent() ? nil : event
        }
        guard let field = SSEField(line[...]) else {
            if event == SSEEvent() { eventBytes = 0 }
            return nil
        }
        event.set(field)
        return nil
    }
}

/// One line of an event: name and value.
struct SSEField {
    let name: ArraySlice<UInt8>
    let value: ArraySlice<UInt8>

    /// The field on `line`, or `nil` for a comment.
    init?(_ line: ArraySlice<UInt8>) {
        guard line.first != UInt8(ascii: ":") else { return nil }
        name = line.prefix { $0 != UInt8(ascii: ":") }
        let rest = line.dropFirst(name.count + 1)
        value = rest.first == 0x20 ? rest.dropFirst() : rest
    }

    func isNamed(_ text: StaticString) -> Bool {
        name.elementsEqual(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }
}

extension SSEEvent {
    /// Takes in the next field; unknown ones mean nothing.
    mutating func set(_ field: SSEField) {
        if field.isNamed("data") {
            if data == nil {
                data = Array(field.value)
            } else {
                data?.append(0x0A)
                data?.append(contentsOf: field.value)
            }
        } else if field.isNamed("event") {
            name = String(decoding: field.value, as: UTF8.self)
        } else if field.isNamed("id") {
            guard !field.value.contains(0) else { return }
            id = String(decoding: field.value, as: UTF8.self)
        } else if field.isNamed("retry") {
            guard !field.value.isEmpty, field.value.allSatisfy({ $0 &- 0x30 < 10 }) else { return }
            guard let number = Int(String(decoding: field.value, as: UTF8.self)) else { return }
            retryMilliseconds = number
        }
    }
}
