// SPDX-License-Identifier: MIT

internal import Glibc

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
    public var era: Era {
        switch self {
        case .november2024, .march2025, .june2025, .november2025: .legacy
        case .july2026: .modern
        }
    }

    /// The revision that is written as `bytes`, or `nil`.
    public init?(bytes: UnsafeRawBufferPointer) {
        guard bytes.count == 10, let base = bytes.baseAddress else { return nil }
        // Every request has one; the generic comparison of sequences costs more than all the rest of a head.
        func isWritten(_ text: StaticString) -> Bool { memcmp(base, text.utf8Start, 10) == 0 }
        if isWritten("2025-11-25") {
            self = .november2025
        } else if isWritten("2026-07-28") {
            self = .july2026
        } else if isWritten("2025-06-18") {
            self = .june2025
        } else if isWritten("2025-03-26") {
            self = .march2025
        } else if isWritten("2024-11-05") {
            self = .november2024
        } else {
            return nil
        }
    }

    /// Whether `left` is older.
    public static func < (left: ProtocolRevision, right: ProtocolRevision) -> Bool { left.rawValue < right.rawValue }

    /// Whether `bytes` are a date behind the newest revision that is known here.
    static func isFuture(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard bytes.count == 10, let newest = allCases.last else { return false }
        for (index, byte) in bytes.enumerated() {
            guard index == 4 || index == 7 ? byte == UInt8(ascii: "-") : byte.isDigit else { return false }
        }
        return newest.rawValue.utf8.lexicographicallyPrecedes(bytes)
    }
}
