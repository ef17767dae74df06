// SPDX-License-Identifier: MIT

import NIOCore

/// Cuts what a child writes into lines.
///
/// Bounded: a line that grows past the limit is reported, never stored whole.
///
/// The end of a line is `\n` (MCP, transport stdio); a `\r` before it is dropped. Empty lines are skipped.
struct LineFramer {
    /// What comes out.
    enum Output: Equatable {
        /// One line without its end, in a buffer of its own.
        case line(ByteBuffer)
        /// A line longer than the limit; what follows can't be trusted, so nothing more comes out.
        case overlong
    }

    /// The longest line, in bytes without its end.
    let maximumLineBytes: Int

    private var pending = ByteBuffer()
    private var scanned = 0
    private var isBroken = false

    /// A framer for lines of at most `maximumLineBytes`.
    init(maximumLineBytes: Int) {
        self.maximumLineBytes = maximumLineBytes
    }

    /// How many bytes wait for the end of their line.
    var bufferedBytes: Int { pending.readableBytes }

    /// Takes the next bytes of the child.
    mutating func append(_ bytes: ByteBuffer) {
        guard !isBroken else { return }
        if pending.readableBytes == 0 {
            pending = bytes
            scanned = 0
        } else {
            pending.writeImmutableBuffer(bytes)
        }
    }

    /// The next line, or `nil` until more bytes come.
    mutating func next() -> Output? {
        while !isBroken {
            let unscanned = pending.readableBytesView.dropFirst(scanned)
            guard let end = unscanned.firstIndex(of: UInt8(ascii: "\n")) else {
                scanned = pending.readableBytes
                guard scanned > maximumLineBytes else { return nil }
                isBroken = true
                pending = ByteBuffer()
                return .overlong
            }
            let length = end - pending.readerIndex
            scanned = 0
            guard length <= maximumLineBytes else {
                isBroken = true
                pending = ByteBuffer()
                return .overlong
            }
            let view = pending.readableBytesView.prefix(length)
            let line = view.last == UInt8(ascii: "\r") ? view.dropLast() : view
            let copy = ByteBuffer(bytes: line)
            pending.moveReaderIndex(forwardBy: length + 1)
            if copy.readableBytes > 0 { return .line(copy) }
        }
        return nil
    }
}
