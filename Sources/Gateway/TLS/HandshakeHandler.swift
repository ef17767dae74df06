// SPDX-License-Identifier: MIT

internal import NIOCore
internal import NIOTLS

/// Waits for the end of a handshake, and is gone then.
final class HandshakeHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer

    /// The connection ended, or too much time passed, before the handshake was over.
    struct Unfinished: Error {}

    private let proof: EventLoopPromise<Void>
    private let timeout: TimeAmount
    private var timer: Scheduled<Void>?

    init(proof: EventLoopPromise<Void>, timeout: TimeAmount) {
        self.proof = proof
        self.timeout = timeout
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let channel = context.channel
        timer = context.eventLoop.scheduleTask(in: timeout) { channel.close(promise: nil) }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? TLSUserEvent, case .handshakeCompleted = event {
            timer?.cancel()
            proof.succeed()
            context.pipeline.syncOperations.removeHandler(self, promise: nil)
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        proof.fail(error)
        context.fireErrorCaught(error)
        context.close(promise: nil)
    }

    // Comes in every case; what was decided before stays.
    func handlerRemoved(context: ChannelHandlerContext) {
        timer?.cancel()
        proof.fail(Unfinished())
    }
}
