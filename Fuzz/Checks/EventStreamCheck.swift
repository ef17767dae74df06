// SPDX-License-Identifier: MIT

#if canImport(Wire)
@testable import Wire
#endif

/// What must hold of an event stream, whatever its bytes are.
enum EventStreamCheck {
    /// What does not hold of `input`, or `nil`.
    static func violation(of input: [UInt8]) -> String? {
        let pieces = input.indices.map { input[$0...$0] }
        let events = parse([input[...]])
        guard parse(pieces) == events else { return "cutting the stream changes its events" }
        let progress = watch([input[...]])
        let other = watch(pieces)
        guard progress.eventCount == other.eventCount, progress.hasEventID == other.hasEventID,
            progress.isBetweenEvents == other.isBetweenEvents
        else { return "cutting the stream changes its progress" }
        if case .success(let events) = events, let violation = violationOfEncoding(events) { return violation }
        let rewritten = rewrite([input[...]])
        guard rewrite(pieces) == rewritten else { return "cutting the stream changes what is rewritten" }
        if case .success(let outcome) = rewritten, !outcome.isDone, outcome.output != input {
            return "a stream without an endpoint event does not pass byte for byte"
        }
        if let target = EndpointReference.target(input[...], base: Array("/a/sse?x".utf8)) {
            guard target.first == UInt8(ascii: "/"), target.allSatisfy({ (0x21...0x7E).contains($0) }) else {
                return "a target is no path"
            }
        }
        return nil
    }

    private struct Rewritten: Equatable {
        var output: [UInt8]
        var isDone: Bool
    }

    private static func parse(_ pieces: [ArraySlice<UInt8>]) -> Result<[SSEEvent], SSEError> {
        Result { () throws(SSEError) -> [SSEEvent] in
            var parser = SSEParser(maximumEventBytes: 256)
            var events: [SSEEvent] = []
            for piece in pieces { events += try parser.consume(Array(piece)) }
            return events
        }
    }

    private static func watch(_ pieces: [ArraySlice<UInt8>]) -> SSEProgress {
        var progress = SSEProgress()
        for piece in pieces { _ = Array(piece).withUnsafeBytes { progress.consume($0) } }
        return progress
    }

    private static func rewrite(_ pieces: [ArraySlice<UInt8>]) -> Result<Rewritten, SSEError> {
        Result { () throws(SSEError) -> Rewritten in
            var rewriter = EndpointEventRewriter(maximumEventBytes: 256)
            var output: [UInt8] = []
            for piece in pieces {
                let result = Array(piece).withUnsafeBytes { pointer in
                    Result { () throws(SSEError) in
                        try rewriter.consume(pointer, into: &output) { uri in
                            EndpointReference.target(uri, base: Array("/sse".utf8))
                        }
                    }
                }
                try result.get()
            }
            rewriter.finish(into: &output)
            return Rewritten(output: output, isDone: rewriter.isDone)
        }
    }

    /// Events that were read can be written and read again.
    private static func violationOfEncoding(_ events: [SSEEvent]) -> String? {
        var parser = SSEParser()
        for event in events {
            guard let read = try? parser.consume(event.encoded), read == [event] else {
                return "an event that was read does not survive being written"
            }
        }
        return nil
    }
}
