// SPDX-License-Identifier: MIT

import JSON
import NIOCore
import Wire

/// A connection to an instance that carries the requests of a handshake, one after the other, and then ends.
///
/// Confined to its loop. Calls `heard` with what happens; nothing after ``close()``.
final class HandshakeConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// What happens on it.
    enum Event {
        /// It is open.
        case connected
        /// The answer to the request that was sent last.
        case answered(Answer)
        /// It could not be opened, or ended before the answer.
        case failed
    }

    /// An answer, as far as a handshake needs it.
    struct Answer {
        var status: Int
        /// `Mcp-Session-Id`.
        var session: [UInt8]?
        /// The message that answers the request, where there is one.
        var message: JSONValue?
        /// Whether another request may follow on the connection.
        var keepsAlive = false
    }

    private let limits: HeadLimits
    private let heard: (Event) -> Void
    private var context: ChannelHandlerContext?
    private var scanner = HeadScanner()
    private var pending = ByteBuffer()
    private var framing = BodyFraming.none
    private var answer: Answer?
    private var tap: AnswerTap?
    private var isOver = false

    init(limits: HeadLimits, _ heard: @escaping (Event) -> Void) {
        self.limits = limits
        self.heard = heard
    }

    /// Tells of the outcome of connecting.
    func connected(_ isOpen: Bool) {
        guard !isOver else { return close() }
        if isOpen { heard(.connected) } else { fail() }
    }

    /// Sends a request; its answer follows.
    func send(_ request: [UInt8]) {
        answer = nil
        tap = nil
        context?.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: request)), promise: nil)
    }

    /// Ends the connection.
    ///
    /// Idempotent.
    func close() {
        isOver = true
        context?.close(promise: nil)
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { fail() }

    func channelInactive(context: ChannelHandlerContext) {
        if answer != nil, framing.isUntilClose { end(keepsAlive: false) } else { fail() }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isOver else { return }
        pending.writeImmutableBuffer(unwrapInboundIn(data))
        do throws(HeadError) {
            if answer == nil, try !readHead() { return }
            try readBody()
        } catch {
            fail()
        }
    }

    /// - Returns: whether the head is complete.
    private func readHead() throws(HeadError) -> Bool {
        while answer == nil {
            let length = try pending.withUnsafeReadableBytes { bytes throws(HeadError) -> Int? in
                guard let head = try scanner.response(bytes, limits: limits) else { return nil }
                guard head.status >= 200 else { return head.length }
                framing = head.framing
                var answer = Answer(status: head.status, keepsAlive: head.keepsAlive)
                var isEventStream = false
                for line in scanner.lines {
                    let value = UnsafeRawBufferPointer(rebasing: bytes[line.value])
                    if line.name == .mcpSessionID { answer.session = Array(value) }
                    if line.name == .contentType {
                        let text = String(decoding: value, as: UTF8.self).lowercased()
                        isEventStream = text.hasPrefix("text/event-stream")
                    }
                }
                self.answer = answer
                tap = AnswerTap(isEventStream: isEventStream) { [unowned self] in self.answer?.message = $0 }
                return head.length
            }
            guard let length else { return false }
            pending.moveReaderIndex(forwardBy: length)
        }
        return true
    }

    private func readBody() throws(HeadError) {
        var isEnd = false
        var payload = ByteBuffer()
        let used = try pending.withUnsafeReadableBytes { bytes throws(HeadError) -> Int in
            var offset = 0
            loop: while true {
                switch try framing.next(bytes, at: &offset) {
                case .payload(let range): payload.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[range]))
                case .more: break loop
                case .end:
                    isEnd = true
                    break loop
                }
            }
            return offset
        }
        pending.moveReaderIndex(forwardBy: used)
        isEnd = isEnd || framing.isComplete
        tap?.consume(payload, isEnd: isEnd)
        if isEnd {
            end(keepsAlive: answer?.keepsAlive ?? false)
        } else if tap?.isOver ?? false, answer?.message != nil {
            // All that matters is here; some servers let the stream stand.
            end(keepsAlive: false)
        }
    }

    private func end(keepsAlive: Bool) {
        guard !isOver, var answer else { return fail() }
        answer.keepsAlive = keepsAlive
        tap = nil
        if !keepsAlive { close() }
        heard(.answered(answer))
    }

    private func fail() {
        guard !isOver else { return }
        close()
        heard(.failed)
    }
}
