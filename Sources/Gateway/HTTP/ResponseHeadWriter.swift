// SPDX-License-Identifier: MIT

public import NIOCore

/// Writes the heads of answers that the gateway itself gives.
public enum ResponseHeadWriter {
    /// Writes the status line.
    public static func begin(status: Int, into buffer: inout ByteBuffer) {
        precondition((100...999).contains(status), "a status has three digits")
        buffer.writeString("HTTP/1.1 \(status) \(reason(status))\r\n")
    }

    /// Writes a field line.
    ///
    /// A line break or NUL in the value would begin another field or response; it becomes a space (RFC 9110 §5.5).
    public static func field(_ name: String, _ value: String, into buffer: inout ByteBuffer) {
        buffer.writeString(name)
        buffer.writeStaticString(": ")
        buffer.writeBytes(value.utf8.lazy.map { $0 == 10 || $0 == 13 || $0 == 0 ? 32 : $0 })
        buffer.writeStaticString("\r\n")
    }

    /// The phrase that RFC 9110 §15 gives a status; a class-wide one where there is none.
    static func reason(_ status: Int) -> String {
        switch status {
        case 100: "Continue"
        case 200: "OK"
        case 201: "Created"
        case 202: "Accepted"
        case 204: "No Content"
        case 304: "Not Modified"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 406: "Not Acceptable"
        case 408: "Request Timeout"
        case 409: "Conflict"
        case 412: "Precondition Failed"
        case 413: "Content Too Large"
        case 415: "Unsupported Media Type"
        case 421: "Misdirected Request"
        case 422: "Unprocessable Content"
        case 428: "Precondition Required"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 500: "Internal Server Error"
        case 501: "Not Implemented"
        case 502: "Bad Gateway"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        case 505: "HTTP Version Not Supported"
        case 507: "Insufficient Storage"
        case 200..<300: "OK"
        case 400..<500: "Bad Request"
        default: "Error"
        }
    }
}
