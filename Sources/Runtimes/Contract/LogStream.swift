// SPDX-License-Identifier: MIT

/// Which part of an instance's log is wanted.
public struct LogOptions: Hashable, Sendable {
    /// Only the last so many lines; `nil` means all that is kept.
    public var tailLines: Int?
    /// Only lines written at most this long ago.
    public var since: Duration?
    /// The log of the incarnation before the present one.
    public var previous: Bool
    /// Go on with new lines until the instance stops or the reader leaves.
    public var follow: Bool

    /// Describes a part of a log.
    public init(tailLines: Int? = nil, since: Duration? = nil, previous: Bool = false, follow: Bool = false) {
        self.tailLines = tailLines
        self.since = since
        self.previous = previous
        self.follow = follow
    }
}

/// One line of a log.
public struct LogLine: Hashable, Sendable {
    /// The longest text kept of one line, in bytes; what is beyond is cut off.
    public static let maximumBytes = 64 * 1024

    /// When it was written.
    public var timestamp: Timestamp
    /// The text without its line break, as the server wrote it.
    public var text: [UInt8]

    /// A line.
    public init(timestamp: Timestamp, text: [UInt8]) {
        self.timestamp = timestamp
        self.text = text
    }
}

/// Lines of a log, pulled: nothing is read ahead of the reader but one batch.
///
/// One reader. Ends when the part asked for is over; with `follow`, when the instance has stopped. What it holds open
/// is closed when the stream is dropped or the reader's task is cancelled.
public struct LogStream: AsyncSequence, Sendable {
    /// What is iterated over.
    public typealias Element = [LogLine]
    /// What iterating throws.
    public typealias Failure = RuntimeError

    private let next: @Sendable () async throws(RuntimeError) -> [LogLine]?

    /// A stream whose next batch of lines (never empty) is what `next` returns; `nil` ends it.
    public init(next: @escaping @Sendable () async throws(RuntimeError) -> [LogLine]?) {
        self.next = next
    }

    /// Begins to iterate.
    public func makeAsyncIterator() -> Iterator { Iterator(next: next) }

    /// Asks for one batch after the other.
    public struct Iterator: AsyncIteratorProtocol {
        fileprivate let next: @Sendable () async throws(RuntimeError) -> [LogLine]?

        /// The next element, or `nil` at the end.
        public mutating func next() async throws(RuntimeError) -> [LogLine]? { try await next() }

        /// The next element, or `nil` at the end.
        public mutating func next(isolation actor: isolated (any Actor)?) async throws(RuntimeError) -> [LogLine]? {
            try await next()
        }
    }
}
