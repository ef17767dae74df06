// SPDX-License-Identifier: MIT

/// The head of an answer.
public struct CurlHead: Hashable, Sendable {
    /// The largest head that is read, in bytes.
    public static let maximumBytes = 256 << 10

    /// The status: 200.
    public var status: Int
    /// Names in lower case, and values, in the order of arrival.
    public var headers: [Header]

    /// A name and its value.
    public struct Header: Hashable, Sendable {
        /// In lower case.
        public var name: String
        /// Without white space around it.
        public var value: String
    }

    /// The first value of the header that is called `name` (lower case), or `nil`.
    public subscript(_ name: String) -> String? {
        headers.first { $0.name == name }?.value
    }
}

/// An answer whose head is there, and whose body arrives as it is read.
public struct CurlResponse: Sendable {
    /// Status and headers.
    public let head: CurlHead
    /// The body; letting go of it ends the transfer.
    public let body: CurlBody

    /// All of the body.
    ///
    /// - Throws: `tooLarge` when it has more than `maximumBytes`, and whatever ended it early.
    public func collect(maximumBytes: Int) async throws(CurlError) -> [UInt8] {
        var bytes: [UInt8] = []
        while let piece = try await body.next() {
            guard bytes.count + piece.count <= maximumBytes else {
                throw CurlError(.tooLarge, "the answer has more than \(maximumBytes) bytes")
            }
            bytes.append(contentsOf: piece)
        }
        return bytes
    }
}

/// The body of an answer, pulled piece by piece.
///
/// One reader. What is not read makes the other side wait. Letting go of the body, or cancelling the reader's task, ends
/// the transfer.
public final class CurlBody: Sendable {
    private let transfer: CurlTransfer
    /// Kept, because a client that is let go of ends its transfers.
    private let client: CurlClient

    init(_ transfer: CurlTransfer, of client: CurlClient) {
        self.transfer = transfer
        self.client = client
    }

    deinit {
        transfer.cancel()
    }

    /// The next piece, never empty; `nil` at the end.
    public func next() async throws(CurlError) -> [UInt8]? {
        try await transfer.nextPiece()
    }
}
