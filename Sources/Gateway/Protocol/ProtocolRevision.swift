// SPDX-License-Identifier: MIT

/// The released revisions of the Model Context Protocol.
public enum ProtocolRevision: String, Hashable, Sendable, CaseIterable, Comparable {
    /// HTTP+SSE with two endpoints.
    case november2024 = "2024-11-05"
    /// Streamable HTTP and batches.
    case march2025 = "2025-03-26"
    /// No batches; the version header.
    case june2025 = "2025-06-18"
    /// Streams that the client polls.
    case november2025 = "2025-11-25"
    /// Stateless: no handshake, metadata in every request.
    case july2026 = "2026-07-28"

    /// How a client and a server agree on a revision.
    public enum Era: Hashable, Sendable {
        /// By an `initialize` handshake that may begin a session.
        case legacy
        /// By metadata in every request.
        case modern
    }

    /// What a server assumes where no version header is sent (transports, 2025-06-18).
    public static let assumed = ProtocolRevision.march2025
    /// The first revision without a handshake.
    public static let firstModern = ProtocolRevision.july2026

    /// The revisions of the modern era, the newest first.
    public static let modern = allCases.filter { $0.era == .modern }.reversed().map(\.self)

    /// The era of the revision.
    public var era: Era { self < Self.firstModern ? .legacy : .modern }

    /// The revision that is written as `bytes`, or `nil`.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 10, let known = Self.allCases.first(where: { $0.rawValue.utf8.elementsEqual(bytes) })
        else {
            return nil
        }
        self = known
    }

    /// Whether `left` is older.
    public static func < (left: ProtocolRevision, right: ProtocolRevision) -> Bool { left.rawValue < right.rawValue }

    /// Whether `bytes` are a date behind the newest revision that is known here.
    static func isFuture(_ bytes: some Collection<UInt8>) -> Bool {
        guard bytes.count == 10, let newest = allCases.last else { return false }
        for (index, byte) in bytes.enumerated() {
            guard index == 4 || index == 7 ? byte == UInt8(ascii: "-") : byte.isDigit else { return false }
        }
        return newest.rawValue.utf8.lexicographicallyPrecedes(bytes)
    }
}
