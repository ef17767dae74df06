// SPDX-License-Identifier: MIT

public import NIOCore

/// The client's side of an exchange, as those see it who answer requests: a connection of HTTP/1.1, which carries one
/// request after the other, or a stream of HTTP/2, which carries one.
///
/// Who answers does not know which of them it is. A request comes as the head of an HTTP/1.1 message (``RequestView``),
/// and its body as pieces; an answer is written as the bytes of an HTTP/1.1 message, however they are cut. A stream of
/// HTTP/2 makes frames of them. Confined to its loop.
///
/// The two are the only ones there are; what this class leaves open it leaves to them.
public class ClientLeg: Expiring {
    /// What the loop's connections share.
    public final let context: HTTPServerLoop
    /// The connection's channel.
    public final let channel: any Channel
    /// What the loop's router keeps with the leg; released when the leg ends.
    public final var attachment: AnyObject?
    /// The other end's IP address, or `unix`.
    public final private(set) lazy var peer = channel.remoteAddress?.ipAddress ?? "unix"

    /// A leg of a connection that has just begun.
    init(context: HTTPServerLoop, channel: any Channel) {
        self.context = context
        self.channel = channel
    }

    /// The loop.
    public final var eventLoop: any EventLoop { context.eventLoop }

    /// Whether what is written leaves soon; otherwise wait for ``RequestSink/writabilityChanged()``.
    public var isWritable: Bool { leftOpen() }

    /// Whether the connection will be closed after the present answer, so that the answer must say so.
    public var closesAfterAnswer: Bool { leftOpen() }

    /// Whether the client is still there.
    public var isOpen: Bool { leftOpen() }

    /// The head that is being routed, kept beyond the call; only within ``RequestRouter/route(_:on:)``.
    public func headSlice(length: Int) -> ByteBuffer { leftOpen() }

    /// Writes bytes of an answer.
    public func write(_ bytes: ByteBuffer) { leftOpen() }

    /// The answer is complete.
    ///
    /// The next request is looked at, or the connection is closed when either side wants so, or when the request itself
    /// is not complete. Without effect when there is no request.
    public func finishAnswer(keepAlive: Bool = true) { leftOpen() }

    /// Tells a client that waits for it to send its body.
    ///
    /// Without effect otherwise.
    public func sendContinueIfAwaited() { leftOpen() }

    /// Stops or goes on reading the request's body, for back pressure.
    ///
    /// What was read already may still be delivered. While reading is stopped the client can't be late.
    public func pauseReading(_ isPaused: Bool) { leftOpen() }

    /// Breaks the answer off at once, whatever is unfinished; the client sees that something went wrong.
    public func abort() { leftOpen() }

    /// From now on the answer may take as long as it takes.
    public func clearDeadline() { leftOpen() }

    private func leftOpen() -> Never { preconditionFailure("a leg is a connection or a stream") }
}
