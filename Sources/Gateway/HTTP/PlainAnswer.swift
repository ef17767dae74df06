// SPDX-License-Identifier: MIT

internal import NIOCore

/// Answers to what is no proper request: a status and a sentence, and the connection ends.
enum PlainAnswer {
    /// Writes the whole answer.
    static func write(status: Int, text: String, date: String, into buffer: inout ByteBuffer) {
        ResponseHeadWriter.begin(status: status, into: &buffer)
        ResponseHeadWriter.field("Date", date, into: &buffer)
        buffer.writeString(
            "Content-Type: text/plain; charset=utf-8\r\nConnection: close\r\nContent-Length: \(text.utf8.count + 1)\r\n\r\n"
        )
        buffer.writeString(text)
        buffer.writeString("\n")
    }
}
