// SPDX-License-Identifier: MIT

extension CurlTransfer {
    /// What is known of a transfer.
    ///
    /// No I/O: each event says what is to be done.
    struct StateMachine {
        typealias HeadWaiter = CheckedContinuation<Result<CurlHead, CurlError>, Never>
        typealias PieceWaiter = CheckedContinuation<Result<[UInt8]?, CurlError>, Never>

        private let bufferBytes: Int
        private var head = CurlHead(status: 0, headers: [])
        private var headBytes = 0
        private var isHeadComplete = false
        private var pieces: [[UInt8]] = []
        private var heldBytes = 0
        private(set) var isPaused = false
        /// `.some(nil)` after a good end.
        private var end: CurlError??
        private var headWaiter: HeadWaiter?
        private var pieceWaiter: PieceWaiter?

        init(bufferBytes: Int) {
            self.bufferBytes = bufferBytes
        }

        enum HeaderAction {
            case none
            case refuse
            case resume(HeadWaiter, CurlHead)
        }

        /// A header line, the line break included, the empty line at the end as well.
        ///
        /// An interim answer (1xx) is passed over, as libcurl shows it too.
        mutating func receivedHeaderLine(_ line: [UInt8]) -> HeaderAction {
            headBytes += line.count
            guard headBytes <= CurlHead.maximumBytes else { return .refuse }
            // Trailers come after the body has begun.
            guard !isHeadComplete else { return .none }
            let text = String(decoding: line, as: UTF8.self)
            if text.hasPrefix("HTTP/") {
                head = CurlHead(
                    status: text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0, headers: [])
                return .none
            }
            if let colon = text.firstIndex(of: ":") {
                let value = text[text.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
                let end = value.lastIndex { !$0.isWhitespace && !$0.isNewline }
                head.headers.append(
                    CurlHead.Header(
                        name: text[..<colon].lowercased(), value: end.map { String(value[...$0]) } ?? ""))
                return .none
            }
            guard line == [13, 10] || line == [10], head.status >= 200 else { return .none }
            isHeadComplete = true
            guard let waiter = headWaiter else { return .none }
            headWaiter = nil
            return .resume(waiter, head)
        }

        enum PieceAction {
            case kept
            case pause
            case resume(PieceWaiter, [UInt8])
        }

        mutating func received(_ piece: [UInt8]) -> PieceAction {
            if let waiter = pieceWaiter {
                pieceWaiter = nil
                return .resume(waiter, piece)
            }
            guard heldBytes < bufferBytes else {
                isPaused = true
                return .pause
            }
            pieces.append(piece)
            heldBytes += piece.count
            return .kept
        }

        enum EndAction {
            case none
            case failHead(HeadWaiter, CurlError)
            case endPieces(PieceWaiter, Result<[UInt8]?, CurlError>)
        }

        /// The transfer is over; only the first end counts.
        mutating func ended(_ error: CurlError?) -> EndAction {
            guard end == nil else { return .none }
            end = .some(error)
            if let waiter = headWaiter {
                headWaiter = nil
                return .failHead(waiter, error ?? CurlError(.unreachable, "the answer ended before its head"))
            }
            guard let waiter = pieceWaiter else { return .none }
            pieceWaiter = nil
            return .endPieces(waiter, error.map { .failure($0) } ?? .success(nil))
        }

        /// The head if it is there; otherwise the waiter is kept.
        mutating func awaitHead(_ waiter: HeadWaiter) -> Result<CurlHead, CurlError>? {
            if isHeadComplete { return .success(head) }
            if let end { return .failure(end ?? CurlError(.unreachable, "the answer ended before its head")) }
            headWaiter = waiter
            return nil
        }

        enum AwaitAction {
            case wait
            case resume(Result<[UInt8]?, CurlError>, unpause: Bool)
        }

        /// The next piece if there is one; otherwise the waiter is kept, and a transfer that stood still goes on.
        mutating func awaitPiece(_ waiter: PieceWaiter) -> AwaitAction {
            precondition(pieceWaiter == nil, "a body has one reader")
            if !pieces.isEmpty {
                let piece = pieces.removeFirst()
                heldBytes -= piece.count
                let unpause = isPaused && heldBytes < bufferBytes
                if unpause { isPaused = false }
                return .resume(.success(piece), unpause: unpause)
            }
            if let end { return .resume(end.map { .failure($0) } ?? .success(nil), unpause: false) }
            pieceWaiter = waiter
            return .wait
        }

        /// Whether the head has arrived, so that its deadline no longer counts.
        var hasHead: Bool { isHeadComplete || end != nil }
        /// Whether it is over.
        var hasEnded: Bool { end != nil }
    }
}
