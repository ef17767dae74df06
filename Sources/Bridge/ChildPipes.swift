// SPDX-License-Identifier: MIT

import Logging
import NIOCore
import NIOPosix

/// The three pipes of a child as channels of the event loop.
///
/// The output is read one piece at a time, as long as the owner wants; the input is a bounded queue; the standard error
/// is always read and goes to the relay.
final class ChildPipes {
    /// Called with what the child writes.
    var onOutput: (ByteBuffer) -> Void = { _ in }
    /// Called once, when the child, and whoever inherited its output, has closed it.
    var onOutputClosed: () -> Void = {}

    /// Whether the output came to its end.
    private(set) var isOutputClosed = false

    private let loop: any EventLoop
    private let relay: StandardErrorRelay
    private let maximumInputBytes: Int
    private var input: (any Channel)?
    private var output: (any Channel)?
    private var errorOutput: (any Channel)?
    private var errorLines = StandardErrorLines()
    private var waiting: [ByteBuffer] = []
    private var unwrittenBytes = 0
    private var isInputClosed = false
    private var isReading = true
    private var isClosed = false

    /// Takes over the descriptors: the ends of the pipes to the child's input, from its output and its standard error.
    init(
        input: Int32, output: Int32, error: Int32, loop: any EventLoop, relay: StandardErrorRelay,
        maximumInputBytes: Int
    ) {
        self.loop = loop
        self.relay = relay
        self.maximumInputBytes = maximumInputBytes
        open(
            NIOPipeBootstrap(group: loop).channelOption(.autoRead, value: false)
                .takingOwnershipOfDescriptor(output: input), descriptor: input
        ) { $0.inputOpened($1) }
        let onOutput = PipeReader(
            received: { [weak self] in self?.onOutput($0) }, closed: { [weak self] in self?.outputClosed() },
            wantsMore: { [weak self] in self?.isReading ?? false })
        open(
            bootstrap(onOutput).channelOption(.autoRead, value: false).takingOwnershipOfDescriptor(input: output),
            descriptor: output
        ) { pipes, channel in
            pipes.output = channel
            if pipes.isReading { channel.read() }
        }
        let onError = PipeReader(
            received: { [weak self] in self?.errorReceived($0) }, closed: { [weak self] in self?.errorClosed() },
            wantsMore: { true })
        open(
            bootstrap(onError).channelOption(.autoRead, value: false).takingOwnershipOfDescriptor(input: error),
            descriptor: error
        ) { pipes, channel in
            pipes.errorOutput = channel
            channel.read()
        }
    }

    /// Whether more bytes wait for the child than are allowed.
    var isInputFull: Bool { unwrittenBytes > maximumInputBytes }

    /// Writes `bytes` to the child's input, behind all that waits there.
    func write(_ bytes: ByteBuffer) {
        guard !isInputClosed else { return }
        unwrittenBytes += bytes.readableBytes
        guard let input else { return waiting.append(bytes) }
        write(bytes, to: input)
    }

    /// Closes the child's input behind all that waits there.
    ///
    /// Idempotent.
    func closeInput() {
        guard !isInputClosed else { return }
        isInputClosed = true
        guard let input else { return }
        closeInput(input)
    }

    /// Whether to go on reading the output.
    func setReading(_ isReading: Bool) {
        guard self.isReading != isReading else { return }
        self.isReading = isReading
        if isReading { output?.read() }
    }

    /// Closes everything at once.
    ///
    /// Idempotent.
    func close() {
        isClosed = true
        for channel in [input, output, errorOutput] { channel?.close(promise: nil) }
    }

    private func bootstrap(_ reader: PipeReader) -> NIOPipeBootstrap {
        let bound = NIOLoopBound(reader, eventLoop: loop)
        return NIOPipeBootstrap(group: loop).channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(bound.value) }
        }
    }

    private func open(
        _ channel: EventLoopFuture<any Channel>, descriptor: Int32, then: @escaping (ChildPipes, any Channel) -> Void
    ) {
        channel.assumeIsolated().whenComplete { [self] result in
            switch result {
            case .success(let channel):
                then(self, channel)
                if isClosed { channel.close(promise: nil) }
            case .failure:
                // The descriptor is ours still; without the pipe the child is of no use and sees its end closed.
                Glibc.close(descriptor)
                outputClosed()
            }
        }
    }

    private func inputOpened(_ channel: any Channel) {
        input = channel
        for bytes in waiting { write(bytes, to: channel) }
        waiting = []
        if isInputClosed { closeInput(channel) }
    }

    private func write(_ bytes: ByteBuffer, to channel: any Channel) {
        let count = bytes.readableBytes
        channel.writeAndFlush(bytes).assumeIsolated().whenComplete { [weak self] _ in self?.unwrittenBytes -= count }
    }

    /// Channels drop what is queued when they close, so this waits for the last write.
    private func closeInput(_ channel: any Channel) {
        channel.writeAndFlush(ByteBuffer()).whenComplete { _ in channel.close(promise: nil) }
    }

    private func outputClosed() {
        guard !isOutputClosed else { return }
        isOutputClosed = true
        onOutputClosed()
    }

    private func errorReceived(_ bytes: ByteBuffer) {
        if let lines = errorLines.append(bytes) { relay.write(lines) }
    }

    private func errorClosed() {
        if let rest = errorLines.finish() { relay.write(rest) }
        errorLines = StandardErrorLines()
    }
}

/// Hands what comes from a pipe to its owner, one piece per read.
private final class PipeReader: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let received: (ByteBuffer) -> Void
    private let closed: () -> Void
    private let wantsMore: () -> Bool

    init(received: @escaping (ByteBuffer) -> Void, closed: @escaping () -> Void, wantsMore: @escaping () -> Bool) {
        self.received = received
        self.closed = closed
        self.wantsMore = wantsMore
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { received(unwrapInboundIn(data)) }

    func channelReadComplete(context: ChannelHandlerContext) {
        if wantsMore() { context.read() }
    }

    func channelInactive(context: ChannelHandlerContext) { closed() }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
