// SPDX-License-Identifier: MIT

internal import NIOCore
internal import NIOHPACK
internal import NIOHTTP2

extension HTTP2ServerConnection {
    /// Sends a frame with the next ``flush()``; it may end the stream, and the connection, before it returns.
    func send(_ payload: HTTP2Frame.FramePayload, on id: HTTP2StreamID, promise: EventLoopPromise<Void>? = nil) {
        guard let handlerContext, phase != .closed else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        handlerContext.write(wrapOutboundOut(HTTP2Frame(streamID: id, payload: payload)), promise: promise)
    }

    /// Sends what was written.
    func flush() {
        handlerContext?.flush()
    }

    // MARK: - What the client may send

    /// How large a window is, less what was sent into it and not given back.
    func windowChanged(_ event: NIOHTTP2WindowUpdatedEvent) {
        guard let size = event.inboundWindowSize else { return }
        if event.streamID == .rootStream {
            inboundWindow = size
            giveBack()
        } else if let stream = streams[event.streamID] {
            stream.inboundWindow = size
            stream.giveBack()
        }
    }

    /// Lets the client send as much as was taken.
    func giveBack() {
        guard !isOver else { return }
        let target = context.configuration.http2.connectionWindow
        let taken = target - inboundWindow - heldBytes
        guard taken > 0, taken >= target / 2 else { return }
        // Known only by the event that follows, which may come before this returns.
        inboundWindow += taken
        send(.windowUpdate(windowSizeIncrement: taken), on: .rootStream)
        flush()
    }
}
