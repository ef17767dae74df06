// SPDX-License-Identifier: MIT

@testable import Wire

/// What a scanner says of some bytes, as values that can be compared.
enum ScannedHead: Equatable, Sendable, CustomStringConvertible {
    /// The head of a request.
    case request(Request)
    /// The head of a response.
    case response(Response)
    /// The end is not there yet.
    case incomplete
    /// Refused.
    case refused(HeadError)

    struct Request: Equatable, Sendable {
        var method = ""
        var target = ""
        var isHTTP11 = true
        var framing = BodyFraming.none
        var keepsAlive = true
        var expectsContinue = false
        var hopByHop: [String] = []
        var fields: [String] = []
        var length = 0
    }

    struct Response: Equatable, Sendable {
        var status = 0
        var framing = BodyFraming.none
        var keepsAlive = true
        var hopByHop: [String] = []
        var fields: [String] = []
        var length = 0
    }

    /// Which of the two kinds of head is read.
    enum Kind: Sendable {
        case request
        case response
        case responseToHead
    }

    var description: String {
        switch self {
        case .request(let request): "\(request)"
        case .response(let response): "\(response)"
        case .incomplete: "incomplete"
        case .refused(let error): "refused: \(error)"
        }
    }

    var error: HeadError? {
        if case .refused(let error) = self { error } else { nil }
    }

    /// Reads `input` as it comes when it is cut at `cuts`, like a connection does.
    static func reading(
        _ input: [UInt8], as kind: Kind = .request, cuts: [Int] = [], limits: HeadLimits = HeadLimits()
    ) -> ScannedHead {
        var scanner = HeadScanner()
        var searched = 0
        for count in cuts + [input.count] {
            let result = input[..<count].withUnsafeBytes { bytes in
                scan(bytes, kind, &scanner, searched, limits)
            }
            if result != .incomplete { return result }
            searched = count
        }
        return .incomplete
    }

    /// Reads `text`.
    static func reading(_ text: String, as kind: Kind = .request) -> ScannedHead {
        reading(Array(text.utf8), as: kind)
    }

    private static func scan(
        _ bytes: UnsafeRawBufferPointer, _ kind: Kind, _ scanner: inout HeadScanner, _ searched: Int,
        _ limits: HeadLimits
    ) -> ScannedHead {
        func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }
        do throws(HeadError) {
            switch kind {
            case .request:
                guard let head = try scanner.request(bytes, searched: searched, limits: limits) else {
                    return .incomplete
                }
                var request = Request()
                request.method = text(head.methodRange)
                request.target = text(head.target)
                request.isHTTP11 = head.isHTTP11
                request.framing = head.framing
                request.keepsAlive = head.keepsAlive
                request.expectsContinue = head.expectsContinue
                if head.namesHopByHopFields { scanner.hopByHopNames(in: bytes) { request.hopByHop.append(text($0)) } }
                request.fields = scanner.lines.map { "\(text($0.nameRange))=\(text($0.value))" }
                request.length = head.length
                return .request(request)
            case .response, .responseToHead:
                guard
                    let head = try scanner.response(
                        bytes, searched: searched, answersHead: kind == .responseToHead, limits: limits)
                else { return .incomplete }
                var response = Response()
                response.status = head.status
                response.framing = head.framing
                response.keepsAlive = head.keepsAlive
                if head.namesHopByHopFields { scanner.hopByHopNames(in: bytes) { response.hopByHop.append(text($0)) } }
                response.fields = scanner.lines.map { "\(text($0.nameRange))=\(text($0.value))" }
                response.length = head.length
                return .response(response)
            }
        } catch {
            return .refused(error)
        }
    }
}
