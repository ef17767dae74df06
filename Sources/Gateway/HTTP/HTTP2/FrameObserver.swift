// SPDX-License-Identifier: MIT

internal import NIOCore
internal import NIOHTTP2

/// Tells a connection that its handler of frames has given it up: the errors that the handler reports don't say whether
/// they concern one stream or all.
struct FrameObserver: NIOHTTP2FrameDelegate {
    /// Owns the handler's neighbour in the pipeline, which does not own the handler.
    weak var connection: HTTP2ServerConnection?

    func wroteFrame(_ frame: HTTP2Frame) {
        if case .goAway(_, let code, _) = frame.payload, code != .noError { connection?.isBroken = true }
    }
}
