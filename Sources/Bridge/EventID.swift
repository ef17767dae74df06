// SPDX-License-Identifier: MIT

/// One stream of messages within a session; the number is never used again in that session.
struct StreamID: Hashable, Sendable {
    /// The stream of messages that belong to no request: what a GET opens.
    ///
    /// Always there, read or not.
    static let standalone = StreamID(number: 0)

    /// The position among the session's streams.
    let number: UInt32
}

/// The identifier of one server-sent event: `3-17`.
///
/// Unique in the session, and it names its stream, so that a client that resumes gets the rest of that stream and
/// of no other (MCP 2025-03-26, Streamable HTTP, Resumability).
struct EventID: Hashable, Sendable {
    /// The stream that the event is part of.
    let stream: StreamID
    /// The position among all events of the session.
    let sequence: UInt64

    /// Names an event.
    init(stream: StreamID, sequence: UInt64) {
        self.stream = stream
        self.sequence = sequence
    }

    /// Reads what ``text`` wrote; `nil` for anything else, which can't be from this session.
    init?(_ text: String) {
        let parts = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        guard text.utf8.count <= 31, parts.count == 2, parts.allSatisfy({ $0.utf8.allSatisfy(Self.isDigit) }),
            let stream = UInt32(parts[0]), let sequence = UInt64(parts[1])
        else { return nil }
        self.init(stream: StreamID(number: stream), sequence: sequence)
    }

    /// The identifier as it goes over the wire.
    var text: String { "\(stream.number)-\(sequence)" }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
}
