// SPDX-License-Identifier: MIT

public import HTTP
public import Identity
public import NIOCore

/// How the data plane listens and what it allows.
public struct DataPlaneConfiguration: Sendable {
    /// Where to listen.
    public var addresses: [ListenAddress]
    /// How client connections are treated.
    public var http = HTTPServerConfiguration()
    /// Which hosts and origins are served.
    public var origins: OriginPolicy
    /// What tokens are needed for; without it the authenticator alone decides who is let in.
    public var resources: ProtectedResources?
    /// The largest body of a request to a server, in bytes.
    public var maximumBodyBytes = 64 << 20
    /// The largest body of a request to the control plane, in bytes.
    public var maximumControlBodyBytes = 1 << 20
    /// How much of a body is read before an instance is chosen; of a larger one the rest flows while it is checked.
    public var inspectedBytes = 256 << 10
    /// Encrypts a new connection to the server of that name; the result succeeds once the server has proved who it is.
    public var secureUpstream: (@Sendable (_ channel: any Channel, _ name: String) throws -> EventLoopFuture<Void>)?
    /// How long connecting to an instance may take.
    public var connectTimeout = TimeAmount.seconds(5)
    /// How long a request that is bound to no instance may wait for one that is being started.
    public var startTimeout = TimeAmount.seconds(20)
    /// How many requests of each loop may wait for instances that are being started.
    public var maximumWaitingRequests = 1024
    /// How many streams of one principal may stand open at once, on all its connections.
    public var maximumStreamsPerPrincipal = 20_000
    /// When instances that fail get no requests that could go elsewhere.
    public var ejection = EjectionPolicy()
    /// How long a server may take to begin its answer.
    public var responseTimeout = TimeAmount.seconds(600)
    /// How long an unused connection to an instance is kept.
    ///
    /// Less than the 5 seconds after which common servers close theirs, so that a request is never sent into a
    /// connection that is being closed.
    public var upstreamIdleTimeout = TimeAmount.seconds(4)
    /// How many unused connections to one instance each loop keeps.
    public var maximumIdleUpstreams = 1024
    /// How often a comment is sent on an event stream that is silent, so that nothing on the way takes it for dead.
    public var keepAliveInterval = TimeAmount.seconds(15)
    /// How many opened session ids each loop remembers.
    public var sessionCacheCapacity = 16_384

    /// Listens on `addresses` with the defaults.
    public init(addresses: [ListenAddress], origins: OriginPolicy) {
        self.addresses = addresses
        self.origins = origins
    }
}
