// SPDX-License-Identifier: MIT

public import NIOCore
public import Wire

/// A request as it stands in the connection's buffer.
///
/// Valid only during the call it is given to.
public struct RequestView {
    /// What the head says.
    public let head: RequestHead
    /// The bytes of the head.
    public let bytes: UnsafeRawBufferPointer
    /// Where the fields are.
    public let lines: [FieldLine]
    /// The loop's scanner, which has just scanned this head.
    public let scanner: HeadScanner

    /// A view of `bytes`, whose head `scanner` has just scanned.
    public init(head: RequestHead, bytes: UnsafeRawBufferPointer, scanner: HeadScanner) {
        self.head = head
        self.bytes = bytes
        lines = scanner.lines
        self.scanner = scanner
    }

    /// The bytes at `range`.
    @inline(__always)
    public func slice(_ range: Range<Int>) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: bytes[range])
    }

    /// The text at `range`; bytes that are not UTF-8 are replaced.
    public func text(_ range: Range<Int>) -> String {
        String(decoding: bytes[range], as: UTF8.self)
    }

    /// The bytes of the first field called `name`, or `nil`.
    public func value(of name: FieldName) -> UnsafeRawBufferPointer? {
        for line in lines where line.name == name { return slice(line.value) }
        return nil
    }
}

/// Decides what becomes of each request of a loop's connections.
///
/// Confined to the loop.
public protocol RequestRouter: AnyObject {
    /// The one who takes the request's body and answers it. Called when the head is complete.
    func route(_ request: RequestView, on connection: ClientLeg) -> any RequestSink
}

/// Takes the body of one request and answers it through the connection.
///
/// Confined to the loop.
public protocol RequestSink: AnyObject {
    /// Whether ``receive(_:isEnd:)`` is given payload only; otherwise the bytes as they came, chunk framing included.
    var wantsPayload: Bool { get }

    /// Bytes of the body, which may be none; `isEnd` exactly once, at the end of the request.
    func receive(_ bytes: ByteBuffer, isEnd: Bool)

    /// The read is over that the last bytes came with, and its buffer is needed for the next one: what is kept of them is
    /// to be copied, where that is little (``NIOCore/ByteBuffer/fit()``).
    func compact()

    /// The connection's ``ClientLeg/isWritable`` has changed.
    func writabilityChanged()

    /// The client sends nothing more after this request. It waits for the answer, or has gone: who can write something
    /// to the client without harm finds out so.
    func inputClosed()

    /// The server is stopping: an answer that would never end by itself ends now, in good order.
    func drain()

    /// The client went away, or sent something that ends the connection; nothing can be answered any more.
    func clientGone()
}
