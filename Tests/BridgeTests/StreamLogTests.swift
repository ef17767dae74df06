// SPDX-License-Identifier: MIT

import NIOCore
import Testing

@testable import Bridge

@Suite("The event log of a session")
struct StreamLogTests {
    private func log(events: Int = 100, bytes: Int = 10_000) -> StreamLog {
        StreamLog(limits: StreamLog.Limits(maximumEvents: events, maximumBytes: bytes))
    }

    private func text(_ string: String) -> ByteBuffer { ByteBuffer(string: string) }

    private func next(_ log: inout StreamLog, _ stream: StreamID) -> StreamLog.Delivery? { log.next(stream) }

    private func resume(_ log: inout StreamLog, after event: EventID) -> Bool { log.resume(after: event) }

    private func read(_ log: inout StreamLog, _ stream: StreamID) -> [String] {
        var output: [String] = []
        while let delivery = log.next(stream) {
            output.append(delivery.message.map { String(buffer: $0) } ?? "<prime>")
        }
        return output
    }

    @Test("a reader gets the messages of its stream in order, each once")
    func order() {
        var log = log()
        let first = log.open()
        let second = log.open()
        _ = log.attach(first)
        _ = log.append(text("a"), to: first)
        _ = log.append(text("b"), to: second)
        _ = log.append(text("c"), to: first)
        #expect(read(&log, first) == ["a", "c"])
        #expect(read(&log, first) == [])
        #expect(read(&log, second) == [])
        _ = log.attach(second)
        #expect(read(&log, second) == ["b"])
    }

    @Test("event ids are unique in the session and name their stream")
    func identifiers() {
        var log = log()
        var seen: Set<UInt64> = []
        for _ in 0..<3 {
            let stream = log.open()
            _ = log.attach(stream)
            log.prime(stream)
            _ = log.append(text("x"), to: stream)
            while let delivery = log.next(stream) {
                #expect(delivery.id.stream == stream)
                #expect(seen.insert(delivery.id.sequence).inserted)
                #expect(EventID(delivery.id.text) == delivery.id)
            }
        }
        #expect(seen.count == 6)
    }

    @Test("a reader that comes back gets what follows the event it names, of that stream only")
    func resumption() throws {
        var log = log()
        let stream = log.open()
        let other = log.open()
        _ = log.attach(stream)
        log.prime(stream)
        let prime = try #require(next(&log, stream)).id
        _ = log.append(text("a"), to: stream)
        _ = log.append(text("other"), to: other)
        let a = try #require(next(&log, stream)).id
        _ = log.append(text("b"), to: stream)
        _ = log.detach(stream)
        _ = log.append(text("c"), to: stream)
        log.finish(stream)

        #expect(resume(&log, after: a))
        #expect(read(&log, stream) == ["b", "c"])
        #expect(log.isDrained(stream))
        _ = log.detach(stream)
        #expect(resume(&log, after: prime))
        #expect(read(&log, stream) == ["a", "b", "c"])
    }

    @Test("an event of an unknown stream, or one that was never sent, can't be resumed from")
    func foreignEvents() {
        var log = log()
        let stream = log.open()
        log.prime(stream)
        #expect(!resume(&log, after: EventID(stream: StreamID(number: 9), sequence: 1)))
        #expect(!resume(&log, after: EventID(stream: stream, sequence: 99)))
        #expect(resume(&log, after: EventID(stream: stream, sequence: 1)))
        #expect(!resume(&log, after: EventID(stream: stream, sequence: 1)))
    }

    @Test("a second reader of a stream is refused until the first has gone")
    func oneReader() {
        var log = log()
        let attached = [log.attach(.standalone), log.attach(.standalone)]
        #expect(attached == [true, false])
        _ = log.detach(.standalone)
        let again = log.attach(.standalone)
        #expect(again)
    }

    @Test("the oldest events go first when there are too many")
    func countBound() {
        var log = log(events: 3)
        for index in 0..<5 { _ = log.append(text("\(index)"), to: .standalone) }
        #expect(log.eventCount == 3)
        _ = log.attach(.standalone)
        #expect(read(&log, .standalone) == ["2", "3", "4"])
    }

    @Test("the oldest events go first when there are too many bytes, and the newest always stays")
    func byteBound() {
        var log = log(bytes: 10)
        _ = log.append(text("12345"), to: .standalone)
        _ = log.append(text("67890"), to: .standalone)
        #expect(log.eventCount == 2)
        _ = log.append(text("x"), to: .standalone)
        #expect(log.eventCount == 2)
        _ = log.append(text("a message of more than ten bytes"), to: .standalone)
        #expect(log.eventCount == 1)
    }

    @Test("what an attached reader has not taken is never dropped, and counts as pending")
    func pendingIsKept() {
        var log = log(events: 2, bytes: 10)
        let stream = log.open()
        _ = log.attach(stream)
        for index in 0..<6 { _ = log.append(text("12\(index)"), to: stream) }
        #expect(log.pendingBytes == 18)
        #expect(read(&log, stream) == (0..<6).map { "12\($0)" })
        #expect(log.pendingBytes == 0)
        _ = log.append(text("end"), to: stream)
        #expect(log.eventCount == 2)
    }

    @Test("a pending event at the front does not keep others from being dropped")
    func evictionSkipsPending() {
        var log = log(events: 3)
        let slow = log.open()
        _ = log.attach(slow)
        _ = log.append(text("slow"), to: slow)
        for index in 0..<10 { _ = log.append(text("\(index)"), to: .standalone) }
        #expect(log.eventCount == 3)
        #expect(read(&log, slow) == ["slow"])
        _ = log.attach(.standalone)
        #expect(read(&log, .standalone) == ["8", "9"])
    }

    @Test("pending bytes leave with the reader and come back with the next one")
    func pendingFollowsTheReader() {
        var log = log()
        _ = log.attach(.standalone)
        _ = log.append(text("1234"), to: .standalone)
        #expect(log.pendingBytes == 4)
        _ = log.detach(.standalone)
        #expect(log.pendingBytes == 0)
        _ = log.attach(.standalone)
        #expect(log.pendingBytes == 4)
        log.discard(.standalone)
        #expect(log.pendingBytes == 0)
        #expect(log.eventCount == 0)
        #expect(log.contains(.standalone))
    }

    @Test("a request of the child that is dropped unread is reported, one that was read is not")
    func droppedRequests() {
        var log = log(events: 1)
        let key = IDKey(json: "1".utf8)
        #expect(log.append(text("request"), to: .standalone, childRequest: key) == [])
        #expect(log.append(text("x"), to: .standalone) == [key])
        #expect(log.append(text("request"), to: .standalone, childRequest: key) == [])
        _ = log.attach(.standalone)
        _ = read(&log, .standalone)
        #expect(log.append(text("y"), to: .standalone) == [])
    }

    @Test("a finished stream is forgotten with its last event")
    func forgotten() {
        var log = log(events: 1)
        let stream = log.open()
        _ = log.append(text("answer"), to: stream)
        log.finish(stream)
        #expect(log.contains(stream))
        _ = log.append(text("x"), to: .standalone)
        #expect(!log.contains(stream))
        #expect(log.isDrained(stream))
        let empty = log.open()
        log.finish(empty)
        #expect(!log.contains(empty))
    }

    @Test(
        "only what the bridge wrote is an event id",
        arguments: ["", "-", "1", "1-", "-1", "+1-2", "1-2-3", "a-1", "1-18446744073709551616", " 1-2"])
    func badIdentifiers(_ text: String) {
        #expect(EventID(text) == nil)
    }
}
