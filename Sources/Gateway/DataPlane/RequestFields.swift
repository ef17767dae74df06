// SPDX-License-Identifier: MIT

import HTTP
import NIOCore
import Wire

/// Makes the field lines that an instance gets out of those that the client sent.
enum RequestFields {
    /// Copies the lines of `request` that may pass, in runs as long as possible.
    ///
    /// Not passed: what belongs to the connection (RFC 9110 §7.6.1), the framing and `Host`, which are written anew, the
    /// client's credentials and cookies, which are for the gateway, what says where the client came from, which only
    /// the gateway can say, `Origin`, which the gateway has checked, and `Accept-Encoding`: streams must not be compressed,
    /// because a compressor holds events back and nobody could say where one ends.
    ///
    /// - Parameter names: In lower case, of fields that the gateway has a value of its own for.
    static func copy(_ request: RequestView, without names: [[UInt8]], into buffer: inout ByteBuffer) {
        // Lines follow one another without a gap, so a run goes on until a line is dropped.
        var runStart = request.lines.first?.start ?? 0
        var runEnd = runStart
        for line in request.lines {
            if drops(line.name) || (request.head.namesHopByHopFields && isNamed(line, in: request))
                || (!names.isEmpty && isOne(of: names, line, in: request))
            {
                if runEnd > runStart { buffer.writeBytes(request.slice(runStart..<runEnd)) }
                runStart = line.end
            }
            runEnd = line.end
        }
        if runEnd > runStart { buffer.writeBytes(request.slice(runStart..<runEnd)) }
    }

    @inline(__always)
    private static func drops(_ name: FieldName) -> Bool {
        switch name {
        case .acceptEncoding, .accessControl, .authorization, .connection, .contentLength, .cookie, .expect, .forwarded,
            .host, .keepAlive, .mcpGateway,
            .mcpSessionID, .origin, .proxy, .te, .trailer, .transferEncoding, .upgrade, .xForwarded,
            .accessControlRequestMethod:
            true
        case .other, .accept, .cacheControl, .contentEncoding, .contentType, .location, .mcpMethod, .mcpName,
            .mcpProtocolVersion,
            .setCookie, .xAccelBuffering:
            false
        }
    }

    /// Whether a `Connection` option names the line's field.
    private static func isNamed(_ line: FieldLine, in request: RequestView) -> Bool {
        var isNamed = false
        request.scanner.hopByHopNames(in: request.bytes) { option in
            if isEqual(request.bytes, option, line.nameRange) { isNamed = true }
        }
        return isNamed
    }

    private static func isOne(of names: [[UInt8]], _ line: FieldLine, in request: RequestView) -> Bool {
        let own = request.slice(line.nameRange)
        return names.contains { name in
            name.count == own.count
                && zip(name, own).allSatisfy { $0 == $1 || isLetter($1) && $0 == $1 | 0x20 }
        }
    }

    /// Compares two names without regard to case.
    static func isEqual(_ bytes: UnsafeRawBufferPointer, _ left: Range<Int>, _ right: Range<Int>) -> Bool {
        left.count == right.count
            && zip(left, right).allSatisfy {
                bytes[$0] == bytes[$1] || (bytes[$0] ^ bytes[$1] == 0x20 && isLetter(bytes[$0]))
            }
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }

    /// `Forwarded` (RFC 7239) and its older kin for a client at `peer` that asked for `host`, in the clear or not.
    static func forwarded(peer: String, host: [UInt8], isSecure: Bool) -> ByteBuffer {
        var buffer = ByteBuffer()
        let address = peer.contains(":") ? "\"[\(peer)]\"" : peer == "unix" ? "unknown" : peer
        buffer.writeString("Forwarded: for=\(address)")
        if !host.isEmpty {
            buffer.writeStaticString(";host=\"")
            buffer.writeBytes(host)
            buffer.writeStaticString("\"")
        }
        let scheme = isSecure ? "https" : "http"
        buffer.writeString(";proto=\(scheme)\r\nX-Forwarded-For: \(peer)\r\nX-Forwarded-Proto: \(scheme)\r\n")
        if !host.isEmpty {
            buffer.writeStaticString("X-Forwarded-Host: ")
            buffer.writeBytes(host)
            buffer.writeStaticString("\r\n")
        }
        return buffer
    }

    /// Writes `text` as hexadecimal digits: any text in visible ASCII.
    static func writeHexadecimal(_ text: String, into buffer: inout ByteBuffer) {
        let digits: StaticString = "0123456789abcdef"
        for byte in text.utf8 {
            buffer.writeInteger(digits.utf8Start[Int(byte >> 4)])
            buffer.writeInteger(digits.utf8Start[Int(byte & 15)])
        }
    }
}
