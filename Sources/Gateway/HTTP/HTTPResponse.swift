// SPDX-License-Identifier: MIT

public import NIOCore

/// An answer that the gateway itself gives.
///
/// The server adds `Content-Length` or chunked framing, and `Date`.
public struct HTTPResponse: Sendable {
    /// What follows the head.
    public enum Body: Sendable {
        /// All of it, at once.
        case bytes(ByteBuffer)
        /// Piece by piece; the next piece is asked for when the client has taken the last one.
        case stream(HTTPBodyStream)
    }

    /// The status code, 200...599.
    public var status: Int
    /// The header fields, without framing.
    public var headers: HTTPHeaders
    /// The body.
    public var body: Body

    /// A response.
    public init(status: Int, headers: HTTPHeaders = HTTPHeaders(), body: Body = .bytes(ByteBuffer())) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}

/// A body that is pulled: `next` is called when the client can take more, and returns `nil` at the end.
///
/// The calling task is cancelled when the client goes away.
public struct HTTPBodyStream: Sendable {
    /// The next piece, never empty; `nil` ends the body.
    public let next: @Sendable () async -> ByteBuffer?
    /// Whether it goes on until somebody ends it: when the server stops, the calling task is then cancelled and the body
    /// ends with what there is.
    public let isEndless: Bool

    /// A body made of what `next` returns.
    public init(isEndless: Bool = false, next: @escaping @Sendable () async -> ByteBuffer?) {
        self.isEndless = isEndless
        self.next = next
    }
}
