// SPDX-License-Identifier: MIT

import JSON
import NIOCore
import Wire

/// Reads along an answer that passes by, for the one message in it that answers the request.
///
/// Only answers of adapters with recovery have one, and of those only the ones that are learned from. Keeps at most
/// ``limit`` bytes; of a longer answer nothing is learned.
final class AnswerTap {
    /// The longest answer that is read, in bytes.
    static let limit = 1 << 20

    private var parser: SSEParser?
    private var bytes: [UInt8] = []
    private var isDone = false
    private let learn: (JSONValue) -> Void

    /// Calls `learn` once with the first message that has a result or an error.
    init(isEventStream: Bool, _ learn: @escaping (JSONValue) -> Void) {
        parser = isEventStream ? SSEParser(maximumEventBytes: Self.limit) : nil
        self.learn = learn
    }

    /// Whether the message was found, or never will be.
    var isOver: Bool { isDone }

    /// Reads the next piece of payload.
    func consume(_ piece: ByteBuffer, isEnd: Bool) {
        guard !isDone else { return }
        if parser != nil {
            do throws(SSEError) {
                let events = try piece.withUnsafeReadableBytes { chunk throws(SSEError) in
                    try parser?.consume(chunk) ?? []
                }
                for event in events where !isDone {
                    if let data = event.data, !data.isEmpty { offer(data) }
                }
            } catch {
                end()
            }
        } else if bytes.count + piece.readableBytes > Self.limit {
            end()
        } else {
            bytes += piece.readableBytesView
            if isEnd { offer(bytes) }
        }
        if isEnd { end() }
    }

    private func offer(_ text: [UInt8]) {
        guard let message = try? JSONParser.parse(text), case .object(let object) = message,
            object["result"] != nil || object["error"] != nil
        else { return }
        end()
        learn(message)
    }

    private func end() {
        isDone = true
        bytes = []
        parser = nil
    }
}
