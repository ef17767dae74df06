// SPDX-License-Identifier: MIT

import Testing

/// A request or an answer as it came over the wire.
struct WireMessage: Sendable {
    let startLine: String
    let fields: [(name: String, value: String)]
    /// The payload, chunks joined.
    let payload: [UInt8]
    /// Whether the connection ended before the message did.
    let isCutOff: Bool

    var body: String { String(decoding: payload, as: UTF8.self) }
    var status: Int { Int(startLine.dropFirst(9).prefix(3)) ?? 0 }

    subscript(_ name: String) -> String? { values(of: name).first }

    func values(of name: String) -> [String] {
        fields.filter { $0.name.lowercased() == name.lowercased() }.map(\.value)
    }

    /// The `error` of the body as far as tests look at it.
    var errorCode: Int? {
        body.firstRange(of: "\"error\":{\"code\":").flatMap { range in
            Int(body[range.upperBound...].prefix { $0 == "-" || $0.isNumber })
        }
    }

    /// The `id` of the body as JSON text.
    var errorID: String? {
        body.firstRange(of: "\"id\":").map { range in
            String(body[range.upperBound...].prefix { $0 != "," && $0 != "}" })
        }
    }
}

/// Reads messages off a connection: just as much as the tests need, nothing lenient.
private struct MessageReader {
    var startLine = ""
    var fields: [(name: String, value: String)] = []
    var payload: [UInt8] = []
    private let bytes: ArraySlice<UInt8>
    private let isEnd: Bool
    private let isRequest: Bool

    init(_ bytes: ArraySlice<UInt8>, isEnd: Bool, isRequest: Bool) {
        self.bytes = bytes
        self.isEnd = isEnd
        self.isRequest = isRequest
    }

    static func headEnd(_ bytes: ArraySlice<UInt8>) -> Int? {
        var index = bytes.startIndex
        while index + 3 < bytes.endIndex {
            if bytes[index + 2] > 13 {
                index += 3
            } else if bytes[index...(index + 3)].elementsEqual([13, 10, 13, 10]) {
                return index + 4 - bytes.startIndex
            } else {
                index += 1
            }
        }
        return nil
    }

    /// How many bytes the message has, `nil` while it is not complete.
    mutating func read() -> Int? {
        guard let head = Self.headEnd(bytes) else { return nil }
        let lines = String(decoding: bytes.prefix(head - 4), as: UTF8.self).components("\r\n")
        startLine = lines[0]
        fields = lines.dropFirst().map { line in
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            return (String(parts[0]), parts.count > 1 ? parts[1].trimmed() : "")
        }
        let rest = bytes.dropFirst(head)
        let status = Int(startLine.dropFirst(9).prefix(3)) ?? 0
        if !isRequest, status == 204 || status == 304 || status < 200 { return head }
        if let length = value("content-length").flatMap({ Int($0) }) {
            guard rest.count >= length else {
                payload = Array(rest)
                return nil
            }
            payload = Array(rest.prefix(length))
            return head + length
        }
        if value("transfer-encoding") == "chunked" { return readChunks(rest).map { head + $0 } }
        if isRequest { return head }
        payload = Array(rest)
        return isEnd ? head + rest.count : nil
    }

    private func value(_ name: String) -> String? { fields.first { $0.name.lowercased() == name }?.value }

    private mutating func readChunks(_ body: ArraySlice<UInt8>) -> Int? {
        var at = body.startIndex
        while let lineEnd = body[at...].firstIndex(of: 10) {
            let text = String(decoding: body[at..<lineEnd].dropLast(), as: UTF8.self)
            guard let size = Int(text.prefix { $0 != ";" }, radix: 16) else { return nil }
            guard lineEnd + 1 + size + 2 <= body.endIndex else {
                payload += body[min(lineEnd + 1, body.endIndex)...]
                return nil
            }
            payload += body[(lineEnd + 1)..<(lineEnd + 1 + size)]
            at = lineEnd + 1 + size + 2
            if size == 0 { return at - body.startIndex }
        }
        return nil
    }
}

extension RawConnection {
    /// The next request, whole; fails when the connection ends first.
    func request() async throws -> WireMessage {
        let message = try await message(isRequest: true)
        guard !message.isCutOff else { throw TestFailure("the request was cut off: \(message)") }
        return message
    }

    /// The next answer; one that is cut off says so.
    func answer() async throws -> WireMessage { try await message(isRequest: false) }

    /// The head of the next message; its body stays.
    func head() async throws -> WireMessage {
        let bytes = try await take { bytes, isEnd in MessageReader.headEnd(bytes) ?? (isEnd ? 0 : nil) }
        var reader = MessageReader(bytes[...], isEnd: true, isRequest: true)
        _ = reader.read()
        return WireMessage(startLine: reader.startLine, fields: reader.fields, payload: [], isCutOff: bytes.isEmpty)
    }

    private func message(isRequest: Bool) async throws -> WireMessage {
        let bytes = try await take { bytes, isEnd in
            var reader = MessageReader(bytes, isEnd: isEnd, isRequest: isRequest)
            return reader.read() ?? (isEnd ? bytes.count : nil)
        }
        var reader = MessageReader(bytes[...], isEnd: true, isRequest: isRequest)
        let isWhole = reader.read() != nil
        return WireMessage(
            startLine: reader.startLine, fields: reader.fields, payload: reader.payload, isCutOff: !isWhole)
    }
}

extension String {
    func components(_ separator: String) -> [String] {
        var parts: [String] = []
        var rest = self[...]
        while let range = rest.firstRange(of: separator) {
            parts.append(String(rest[..<range.lowerBound]))
            rest = rest[range.upperBound...]
        }
        return parts + [String(rest)]
    }
}

extension Substring {
    fileprivate func trimmed() -> String {
        var text = self
        while text.first == " " || text.first == "\t" { text.removeFirst() }
        while text.last == " " || text.last == "\t" { text.removeLast() }
        return String(text)
    }
}
