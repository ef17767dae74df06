// SPDX-License-Identifier: MIT

internal import NIOCore

/// Answers to what is no proper request: a status and a sentence, and the connection ends.
enum PlainAnswer {
    static func bytes(status: Int, text: String, allocator: ByteBufferAllocator) -> ByteBuffer {
        var buffer = allocator.buffer(capacity: 256)
        ResponseHeadWriter.begin(status: status, into: &buffer)
        buffer.writeString(
            "Content-Type: text/plain; charset=utf-8\r\nConnection: close\r\nContent-Length: \(text.utf8.count + 1)\r\n\r\n"
        )
        buffer.writeString(text)
        buffer.writeString("\n")
        return buffer
    }
}
