// SPDX-License-Identifier: MIT

import NIOCore
import NIOHPACK

/// A client that sends frames of HTTP/2 as a test wants them, and takes apart what it gets.
///
/// Used by one task at a time.
final class FrameClient {
    /// One frame.
    struct Frame {
        var type: UInt8
        var flags: UInt8
        var stream: UInt32
        var payload: [UInt8]

        var endsStream: Bool { (type == Self.data || type == Self.headers) && flags & 1 != 0 }
        /// The number at `offset`, four bytes long.
        func number(at offset: Int = 0) -> UInt32 { payload[offset..<(offset + 4)].reduce(0) { $0 << 8 | UInt32($1) } }

        static let data: UInt8 = 0
        static let headers: UInt8 = 1
        static let reset: UInt8 = 3
        static let settings: UInt8 = 4
        static let goAway: UInt8 = 7
        static let windowUpdate: UInt8 = 8
    }

    /// What came on one stream.
    struct Answer {
        var status = ""
        /// What came before, with 1xx.
        var interim: [String] = []
        var fields = HPACKHeaders()
        var body = ""
        /// The code of RST_STREAM.
        var reset: UInt32?
        /// The code of GOAWAY, where that came instead.
        var goAway: UInt32?
        var isComplete = false
    }

    static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

    let client: RawClient
    /// Whether what was received is given back to the windows.
    var givesBack = true
    /// What the server's first SETTINGS say.
    var settings: [UInt16: UInt32] = [:]
    private var encoder = HPACKEncoder(allocator: ByteBufferAllocator())
    private var decoder = HPACKDecoder(allocator: ByteBufferAllocator())
    private var received: [UInt8] = []
    private var answers: [UInt32: Answer] = [:]

    /// Connects; says how it begins unless `isSilent`.
    init(port: Int, settings: [UInt16: UInt32] = [:], isSilent: Bool = false) throws {
        client = try RawClient(port: port)
        guard !isSilent else { return }
        try client.send(Self.preface)
        var payload: [UInt8] = []
        for (key, value) in settings {
            payload += [UInt8(key >> 8), UInt8(key & 255)] + Self.bytes(value)
        }
        try send(Frame.settings, payload: payload)
    }

    static func bytes(_ number: UInt32) -> [UInt8] {
        [UInt8(number >> 24), UInt8(number >> 16 & 255), UInt8(number >> 8 & 255), UInt8(number & 255)]
    }

    static func frame(_ type: UInt8, flags: UInt8 = 0, stream: UInt32 = 0, payload: [UInt8] = []) -> [UInt8] {
        Array(bytes(UInt32(payload.count)).dropFirst()) + [type, flags] + bytes(stream) + payload
    }

    func send(_ type: UInt8, flags: UInt8 = 0, stream: UInt32 = 0, payload: [UInt8] = []) throws {
        try client.send(Self.frame(type, flags: flags, stream: stream, payload: payload))
    }

    /// The frame that begins a request; `fields` are sent as they are.
    func headers(_ stream: UInt32, _ fields: [(String, String)], isEnd: Bool = true) throws -> [UInt8] {
        var buffer = ByteBuffer()
        try encoder.encode(headers: HPACKHeaders(fields), to: &buffer)
        return Self.frame(
            Frame.headers, flags: isEnd ? 5 : 4, stream: stream, payload: Array(buffer.readableBytesView))
    }

    /// Begins a request.
    func request(
        _ stream: UInt32, _ method: String = "GET", _ path: String = "/", _ more: [(String, String)] = [],
        isEnd: Bool = true
    ) throws {
        let fields = [
            (":method", method), (":scheme", "http"), (":path", path), (":authority", "127.0.0.1"),
        ]
        try client.send(try headers(stream, fields + more, isEnd: isEnd))
    }

    func data(_ stream: UInt32, _ text: String, isEnd: Bool = false) throws {
        try send(Frame.data, flags: isEnd ? 1 : 0, stream: stream, payload: Array(text.utf8))
    }

    func reset(_ stream: UInt32, code: UInt32 = 8) throws {
        try send(Frame.reset, stream: stream, payload: Self.bytes(code))
    }

    func window(_ stream: UInt32, _ size: UInt32) throws {
        try send(Frame.windowUpdate, stream: stream, payload: Self.bytes(size))
    }

    /// The next frame, or `nil` when the connection has ended.
    ///
    /// Settings are acknowledged, and not returned.
    func next() async throws -> Frame? {
        while true {
            guard let frame = try await take() else { return nil }
            guard frame.type == Frame.settings else { return frame }
            guard frame.flags & 1 == 0 else { continue }
            for index in stride(from: 0, to: frame.payload.count, by: 6) {
                let key = UInt16(frame.payload[index]) << 8 | UInt16(frame.payload[index + 1])
                settings[key] = frame.number(at: index + 2)
            }
            try send(Frame.settings, flags: 1)
        }
    }

    private func take() async throws -> Frame? {
        while true {
            if received.count >= 9 {
                let length = Int(received[0]) << 16 | Int(received[1]) << 8 | Int(received[2])
                if received.count >= 9 + length {
                    let stream = received[5..<9].reduce(0) { $0 << 8 | UInt32($1) }
                    let frame = Frame(
                        type: received[3], flags: received[4], stream: stream,
                        payload: Array(received[9..<(9 + length)]))
                    received.removeFirst(9 + length)
                    return frame
                }
            }
            let (bytes, isClean) = try await client.receive(bytes: 1)
            guard !bytes.isEmpty else {
                if !isClean { throw RawClient.Failure(what: "nothing more within the deadline") }
                return nil
            }
            received += bytes
        }
    }

    /// All that comes on `stream` until it ends, or until `isEnough`; what comes on others meanwhile is kept for them.
    func answer(_ stream: UInt32, until isEnough: (Answer) -> Bool = { _ in false }) async throws -> Answer {
        while true {
            let present = answers[stream] ?? Answer()
            if present.isComplete || present.reset != nil || present.goAway != nil || isEnough(present) {
                return present
            }
            guard let frame = try await next() else {
                throw RawClient.Failure(what: "the connection ended; so far: \(present)")
            }
            try take(frame, for: stream)
        }
    }

    /// What RST_STREAM says after the answer's end.
    func resetAfterAnswer(_ stream: UInt32) async throws -> UInt32? {
        while answers[stream]?.reset == nil {
            guard let frame = try await next() else { return nil }
            try take(frame, for: stream)
        }
        return answers[stream]?.reset
    }

    private func take(_ frame: Frame, for stream: UInt32) throws {
        var answer = answers[frame.stream] ?? Answer()
        switch frame.type {
        case Frame.headers:
            var block = ByteBuffer(bytes: frame.payload)
            let fields = try decoder.decodeHeaders(from: &block)
            let status = fields.first(name: ":status") ?? ""
            if status.hasPrefix("1") {
                answer.interim.append(status)
            } else {
                answer.status = status
                answer.fields = fields
            }
        case Frame.data:
            answer.body += String(decoding: frame.payload, as: UTF8.self)
            if givesBack, !frame.payload.isEmpty {
                if !frame.endsStream { try window(frame.stream, UInt32(frame.payload.count)) }
                try window(0, UInt32(frame.payload.count))
            }
        case Frame.reset: answer.reset = frame.number()
        case Frame.goAway: answers[stream, default: Answer()].goAway = frame.number(at: 4)
        default: return
        }
        if frame.endsStream { answer.isComplete = true }
        if frame.stream != 0 { answers[frame.stream] = answer }
    }

    /// The next GOAWAY: the last stream and the code.
    func goAway() async throws -> (last: UInt32, code: UInt32) {
        var seen: [Frame] = []
        while let frame = try await next() {
            seen.append(frame)
            if frame.type == Frame.goAway { return (frame.number(), frame.number(at: 4)) }
        }
        throw RawClient.Failure(what: "the connection ended without GOAWAY; \(seen)")
    }

    /// Returns when the connection has ended.
    func ended() async throws {
        while try await next() != nil {}
    }
}
