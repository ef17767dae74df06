// SPDX-License-Identifier: MIT

import Synchronization

/// One request and its answer, between the reader's task and curl's thread.
final class CurlTransfer: Sendable {
    let request: CurlRequest
    private let loop: CurlLoop
    private let state: Mutex<StateMachine>

    init(_ request: CurlRequest, on loop: CurlLoop) {
        self.request = request
        self.loop = loop
        state = Mutex(StateMachine(bufferBytes: request.bufferBytes))
    }

    // MARK: - The reader's side

    /// Waits for the head; cancellation ends the transfer.
    func head() async throws(CurlError) -> CurlHead {
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { waiter in
                if let result = state.withLock({ $0.awaitHead(waiter) }) { waiter.resume(returning: result) }
            }
        } onCancel: {
            cancel()
        }
        return try result.get()
    }

    /// Waits for the next piece of the body; cancellation ends the transfer.
    func nextPiece() async throws(CurlError) -> [UInt8]? {
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { waiter in
                switch state.withLock({ $0.awaitPiece(waiter) }) {
                case .wait: break
                case .resume(let result, let unpause):
                    if unpause { loop.submit(.unpause(self)) }
                    waiter.resume(returning: result)
                }
            }
        } onCancel: {
            cancel()
        }
        return try result.get()
    }

    /// Ends the transfer, wherever it is.
    ///
    /// Idempotent; the reader hears of it at once.
    func cancel() {
        guard !hasEnded else { return }
        ended(CurlError(.cancelled, "the request was cancelled"))
        loop.submit(.cancel(self))
    }

    // MARK: - The thread's side

    var hasHead: Bool { state.withLock(\.hasHead) }
    var hasEnded: Bool { state.withLock(\.hasEnded) }

    /// Returns `false` when the head is too large.
    func receivedHeaderLine(_ line: [UInt8]) -> Bool {
        switch state.withLock({ $0.receivedHeaderLine(line) }) {
        case .none: return true
        case .refuse: return false
        case .resume(let waiter, let head):
            waiter.resume(returning: .success(head))
            return true
        }
    }

    /// Returns `false` when the reader has enough for now.
    func received(_ piece: [UInt8]) -> Bool {
        switch state.withLock({ $0.received(piece) }) {
        case .kept: return true
        case .pause:
            return false
        case .resume(let waiter, let piece):
            waiter.resume(returning: .success(piece))
            return true
        }
    }

    func ended(_ error: CurlError?) {
        switch state.withLock({ $0.ended(error) }) {
        case .none: break
        case .failHead(let waiter, let error): waiter.resume(returning: .failure(error))
        case .endPieces(let waiter, let result): waiter.resume(returning: result)
        }
    }
}
