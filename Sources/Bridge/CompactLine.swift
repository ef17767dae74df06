// SPDX-License-Identifier: MIT

import NIOCore

extension ByteBuffer {
    /// This JSON text on one line: without `\n` and `\r`.
    ///
    /// Valid JSON has these bytes between tokens only (RFC 8259 §7 forbids them raw in a string), so nothing of the
    /// meaning goes with them. The caller has checked that the text is valid. Free when there are none.
    func onOneLine() -> ByteBuffer {
        let isLineEnd = { (byte: UInt8) in byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") }
        guard readableBytesView.contains(where: isLineEnd) else { return self }
        return ByteBuffer(bytes: readableBytesView.lazy.filter { !isLineEnd($0) })
    }
}
