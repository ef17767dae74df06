// SPDX-License-Identifier: MIT

/// Puts another URI into the first `endpoint` event of an HTTP+SSE stream (2024-11-05) and passes everything else byte
/// for byte.
///
/// Holds back nothing but an event that has begun, and lets go of comments at once. Once ``isDone`` the stream passes
/// unchanged, so there is no need to call it any more.
public struct EndpointEventRewriter: Sendable {
    private struct Line {
        var content: [UInt8]
        var end: [UInt8]
    }

    /// Whether the event has been found and rewritten.
    public private(set) var isDone = false

    private let maximumEventBytes: Int
    private var splitter = SSELineSplitter()
    private var lines: [Line] = []
    private var partial: [UInt8] = []
    private var heldBytes = 0
    private var isFirstLine = true
    private var hasFields = false

    /// A rewriter at the start of a stream that holds back at most `maximumEventBytes` bytes.
    public init(maximumEventBytes: Int = 64 << 10) {
        self.maximumEventBytes = maximumEventBytes
    }

    /// Takes the next piece of the stream and appends what may go on to `output`.
    ///
    /// `rewrite` is called at most once in the life of the rewriter, with the URI of the event, and returns the one that
    /// takes its place, or `nil` where the URI is of no use: that throws `.invalidEndpoint`. An event that is too long
    /// throws `.eventTooLong`. After an error the stream must be closed.
    public mutating func consume(
        _ chunk: UnsafeRawBufferPointer, into output: inout [UInt8], rewrite: (ArraySlice<UInt8>) -> [UInt8]?
    ) throws(SSEError) {
        var index = 0
        while !isDone, let piece = splitter.next(chunk, from: index) {
            index = piece.end.upperBound
            if piece.isRestOfLineEnd {
                if lines.isEmpty {
                    output.append(0x0A)
                } else {
                    lines[lines.count - 1].end.append(0x0A)
                }
                continue
            }
            // A line end counts as one byte, because how many it has may only be known later.
            heldBytes += piece.content.count + (piece.endsLine ? 1 : 0)
            guard heldBytes <= maximumEventBytes else { throw .eventTooLong }
            partial.append(contentsOf: UnsafeRawBufferPointer(rebasing: chunk[piece.content]))
            guard piece.endsLine else { continue }
            let end = Array(UnsafeRawBufferPointer(rebasing: chunk[piece.end]))
            try endLine(end, into: &output, rewrite: rewrite)
        }
        if isDone, index < chunk.count {
            output.append(contentsOf: UnsafeRawBufferPointer(rebasing: chunk[index...]))
        }
    }

    /// Ends the stream and appends what was held back to `output`.
    public mutating func finish(into output: inout [UInt8]) {
        letGo(into: &output)
        output += partial
        partial = []
    }

    private mutating func endLine(
        _ end: [UInt8], into output: inout [UInt8], rewrite: (ArraySlice<UInt8>) -> [UInt8]?
    ) throws(SSEError) {
        lines.append(Line(content: partial, end: end))
        var content = partial[...]
        partial = []
        if isFirstLine {
            isFirstLine = false
            if content.starts(with: [0xEF, 0xBB, 0xBF]) { content = content.dropFirst(3) }
        }
        if content.isEmpty {
            if hasFields { try rewriteEndpoint(rewrite) }
            letGo(into: &output)
        } else if SSEField(content) != nil {
            hasFields = true
        } else if !hasFields {
            letGo(into: &output)
        }
    }

    /// Rewrites the data of the event in ``lines``, if it is an `endpoint` event.
    private mutating func rewriteEndpoint(_ rewrite: (ArraySlice<UInt8>) -> [UInt8]?) throws(SSEError) {
        var event = SSEEvent()
        var dataLines: [Int] = []
        for (index, line) in lines.enumerated() {
            let mark = line.content.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
            guard let field = SSEField(line.content.dropFirst(mark)) else { continue }
            event.set(field)
            if field.isNamed("data") { dataLines.append(index) }
        }
        guard event.name == "endpoint" else { return }
        guard let first = dataLines.first, let data = event.data, let replacement = rewrite(data[...]) else {
            throw .invalidEndpoint
        }
        precondition(replacement.allSatisfy { $0 != 0x0A && $0 != 0x0D }, "a URI is one line")
        let mark = lines[first].content.starts(with: [0xEF, 0xBB, 0xBF]) ? [0xEF, 0xBB, 0xBF] : [] as [UInt8]
        lines[first].content = mark + Array("data: ".utf8) + replacement
        for index in dataLines.dropFirst().reversed() { lines.remove(at: index) }
        isDone = true
    }

    private mutating func letGo(into output: inout [UInt8]) {
        for line in lines {
            output += line.content
            output += line.end
        }
        lines = []
        heldBytes = 0
        hasFields = false
    }
}
