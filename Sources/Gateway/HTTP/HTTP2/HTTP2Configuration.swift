// SPDX-License-Identifier: MIT

public import NIOCore

/// How connections of HTTP/2 are treated, beside what holds for all connections.
public struct HTTP2Configuration: Sendable {
    /// Whether HTTP/2 is spoken at all.
    public var isServed = true
    /// How many requests of one connection may be under way at once (`SETTINGS_MAX_CONCURRENT_STREAMS`).
    public var maximumStreams = 128
    /// How many bytes of one request's body may be on their way or wait here.
    public var streamWindow = 256 << 10
    /// How many bytes of all bodies of a connection may be on their way or wait here.
    public var connectionWindow = 1 << 20
    /// How many requests a client may take back before they are answered, within ``cancellationPeriod``; one that takes
    /// back more is out to make work (CVE-2023-44487).
    public var maximumCancellations = 400
    /// The time in which cancellations are counted.
    public var cancellationPeriod = TimeAmount.seconds(30)

    /// The defaults.
    public init() {}
}
