// SPDX-License-Identifier: MIT

public import NIOCore
public import Wire

/// How a listener treats its connections.
public struct HTTPServerConfiguration: Sendable {
    /// How large a request's head may be.
    public var headLimits = HeadLimits()
    /// How many connections are held at once, give or take less than a hundredth; more wait in the kernel's queue.
    public var maximumConnections = 20_000
    /// How long a client may take to send a head, from its first byte on.
    public var headTimeout = TimeAmount.seconds(30)
    /// How long a connection is kept open between requests.
    public var idleTimeout = TimeAmount.seconds(75)
    /// How long a client may pause within a body.
    public var bodyTimeout = TimeAmount.seconds(30)
    /// How long a client may take nothing of what is written to it before it counts as gone.
    public var writeTimeout = TimeAmount.seconds(120)
    /// How long an answer that has begun may stand still before a client that has closed its sending side counts as gone.
    ///
    /// More than the time between the comments on event streams.
    public var halfClosedTimeout = TimeAmount.seconds(30)
    /// How long what a client still sends is read and thrown away after an early answer, so that the answer arrives.
    public var lingerTimeout = TimeAmount.seconds(2)
    /// How much of a body is taken and thrown away after its request was answered, so that the connection goes on; with
    /// more to come, or where it is not known how much, the connection ends.
    public var discardedBytes = 1 << 20
    /// How long requests under way may go on after the server was asked to stop.
    public var drainTimeout = TimeAmount.seconds(10)
    /// How often deadlines are looked at; they are met to within this.
    public var sweepInterval = TimeAmount.milliseconds(500)
    /// How many bytes may wait to be written to a client before the sender is told to pause.
    public var writeBufferWaterMark = ChannelOptions.Types.WriteBufferWaterMark(low: 16 << 10, high: 64 << 10)

    /// How connections of HTTP/2 are treated.
    public var http2 = HTTP2Configuration()

    /// Puts what encrypts a new connection in front of HTTP, on the connection's loop; `nil` for plain HTTP.
    public var secure: (@Sendable (any Channel) throws -> Void)?

    /// The defaults.
    public init() {}
}
