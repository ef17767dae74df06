// SPDX-License-Identifier: MIT

public import NIOCore

/// A whole request, its body collected: what a ``Responder`` is given.
///
/// Never made for a proxied request.
public struct HTTPRequest: Sendable {
    /// The method as it was written: `GET`.
    public var method: String
    /// The path, percent-decoded; begins with `/`.
    public var path: String
    /// The query's names and values, percent-decoded, in order.
    public var query: [(name: String, value: String)]
    /// The request target as it was written: `/adapters?limit=1`.
    public var target: String
    /// The header fields.
    public var headers: HTTPHeaders
    /// The body, of at most as many bytes as the listener allows.
    public var body: ByteBuffer
    /// The address of the other end: an IP address, or `unix`.
    public var peer: String

    /// A request.
    public init(
        method: String,
        path: String,
        query: [(name: String, value: String)] = [],
        target: String,
        headers: HTTPHeaders = HTTPHeaders(),
        body: ByteBuffer = ByteBuffer(),
        peer: String = "unix"
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.target = target
        self.headers = headers
        self.body = body
        self.peer = peer
    }
}

/// Answers requests that are not proxied.
///
/// The task is cancelled when the client goes away.
public protocol Responder: Sendable {
    /// The answer to `request`; every failure is an answer too.
    func respond(to request: HTTPRequest) async -> HTTPResponse
}
