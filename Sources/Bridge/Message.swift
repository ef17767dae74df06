// SPDX-License-Identifier: MIT

import MCPProtocol
import NIOCore

/// One JSON-RPC message: its bytes on one line, and what the scanner found in them.
struct Message {
    /// The JSON text, without line ends.
    let bytes: ByteBuffer
    /// What it is and where its ids are; positions count from the reader index of ``bytes``.
    let envelope: Envelope

    /// Reads one message, valid or not: ``Envelope/shape`` tells.
    init(_ text: ByteBuffer) throws(EnvelopeError) {
        let line = text.onOneLine()
        let result = line.withUnsafeReadableBytes { pointer in
            Result { () throws(EnvelopeError) in try EnvelopeScanner.scan(pointer) }
        }
        bytes = line
        envelope = try result.get()
    }

    /// The id as it was written, in memory of its own.
    var id: JSONRPCID {
        switch envelope.id {
        case .string(let text): .string(ArraySlice(Array(text)))
        case .number(let text): .number(ArraySlice(Array(text)))
        case .absent, .null: envelope.id
        }
    }

    /// The id to look up, where there is one that identifies a request.
    var idKey: IDKey? {
        envelope.id.identifiesRequest ? IDKey(json: envelope.id.json) : nil
    }

    /// The JSON text at `location`.
    func text(at location: Envelope.Location) -> [UInt8] {
        Array(bytes.readableBytesView.dropFirst(location.range.lowerBound).prefix(location.range.count))
    }

    /// The value at `location` to look up, where it is one that can be an id.
    func key(at location: Envelope.Location?) -> IDKey? {
        guard let location, location.kind == .string || location.kind == .number else { return nil }
        return IDKey(json: text(at: location))
    }

    /// The bytes with `edits` made.
    func applying(_ edits: [EnvelopeEdit]) -> ByteBuffer {
        guard !edits.isEmpty else { return bytes }
        return ByteBuffer(bytes: EnvelopeEdit.apply(edits, to: Array(bytes.readableBytesView)))
    }

    /// The messages of a batch, each of its own; the message itself where it is none.
    func elements() throws(EnvelopeError) -> [Message] {
        guard let batch = envelope.batch else { return [self] }
        var messages: [Message] = []
        for range in batch.elements {
            let view = bytes.readableBytesView.dropFirst(range.lowerBound).prefix(range.count)
            messages.append(try Message(ByteBuffer(bytes: view)))
        }
        return messages
    }
}
