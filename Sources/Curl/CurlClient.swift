// SPDX-License-Identifier: MIT

/// Sends requests of the gateway's own, over HTTP/2 where the other side speaks it.
///
/// All transfers share one thread, which starts with the first request, and connections that are kept open between
/// requests. All members may be called from any task.
public final class CurlClient: Sendable {
    private let loop: CurlLoop

    /// A client; nothing is loaded, started or opened yet.
    ///
    /// - Parameter maximumTransfers: How many requests may be under way, streams included; more are refused.
    public init(maximumTransfers: Int = 1024) {
        loop = CurlLoop(maximumTransfers: maximumTransfers)
    }

    deinit {
        loop.close()
    }

    /// Sends `request` and returns when the head of the answer is there, whatever its status.
    ///
    /// Redirections are not followed. Cancellation ends the transfer.
    public func send(_ request: CurlRequest) async throws(CurlError) -> CurlResponse {
        let transfer = CurlTransfer(request, on: loop)
        // Made first, so that every way out ends the transfer.
        let body = CurlBody(transfer, of: self)
        try loop.start(transfer)
        return CurlResponse(head: try await transfer.head(), body: body)
    }

    /// Ends all transfers with `closed`, and refuses more.
    ///
    /// Idempotent.
    public func close() {
        loop.close()
    }
}
