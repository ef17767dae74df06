// SPDX-License-Identifier: MIT

import HTTP
import NIOCore
import Wire

extension UpstreamConnection {
    /// Looks at what the instance has sent.
    func read(_ bytes: ByteBuffer, _ exchange: ProxyExchange) {
        var input = bytes
        if var held = pending.take() {
            held.writeImmutableBuffer(bytes)
            input = held
        }
        do throws(HeadError) {
            while phase == .head {
                guard try readHead(&input, exchange) else { return }
            }
            if phase == .body { try readBody(&input, exchange) }
        } catch {
            fail()
        }
    }

    /// - Returns: whether a head was read.
    private func readHead(_ input: inout ByteBuffer, _ exchange: ProxyExchange) throws(HeadError) -> Bool {
        var isInterim = false
        let length = try input.withUnsafeReadableBytes { bytes throws(HeadError) -> Int? in
            guard
                let head = try proxy.scanner.response(
                    bytes, searched: searched, answersHead: false, limits: proxy.upstreamHeadLimits)
            else { return nil }
            if head.status < 200 {
                // RFC 9110 §15.2: any number of interim responses; the protocol is never switched, since the request
                // did not ask for it.
                guard head.status != 101 else { throw .badStartLine }
                isInterim = true
                return head.length
            }
            framing = head.framing
            keepsAlive = head.keepsAlive
            phase = .body
            expiry = .distantFuture
            wantsPayload = exchange.upstreamAnswered(
                head, lines: proxy.scanner.lines, bytes: UnsafeRawBufferPointer(rebasing: bytes[..<head.length]))
            return head.length
        }
        guard let length else {
            searched = input.readableBytes
            pending = HeldBytes(input)
            return false
        }
        searched = 0
        input.moveReaderIndex(forwardBy: length)
        return phase == .body || isInterim
    }

    private func readBody(_ input: inout ByteBuffer, _ exchange: ProxyExchange) throws(HeadError) {
        if wantsPayload { return try readPayload(&input, exchange) }
        let count = try input.withUnsafeReadableBytes { bytes throws(HeadError) in try framing.take(bytes) }
        guard let slice = input.readSlice(length: count) else { return }
        keep(input)
        exchange.upstreamBody(slice, isEnd: framing.isComplete)
    }

    /// Hands on the payload of one read in one piece, whatever its chunks: it leaves as one chunk again.
    private func readPayload(_ input: inout ByteBuffer, _ exchange: ProxyExchange) throws(HeadError) {
        var payload = ByteBuffer()
        var offset = 0
        var isEnd = false
        try input.withUnsafeReadableBytes { bytes throws(HeadError) in
            loop: while true {
                switch try framing.next(bytes, at: &offset) {
                case .payload(let range):
                    if payload.readableBytes == 0, range.lowerBound == 0, range.upperBound == bytes.count {
                        payload.writeBytes(bytes)
                    } else {
                        payload.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[range]))
                    }
                case .more: break loop
                case .end:
                    isEnd = true
                    break loop
                }
            }
        }
        input.moveReaderIndex(forwardBy: offset)
        keep(input)
        isEnd = isEnd || framing.isComplete
        exchange.upstreamBody(payload, isEnd: isEnd)
    }

    /// Keeps what is left of a read, before the exchange hears of the rest: whether something is left decides what
    /// becomes of the connection when the exchange is over.
    private func keep(_ input: ByteBuffer) {
        if input.readableBytes > 0 { pending = HeldBytes(input) }
    }
}
