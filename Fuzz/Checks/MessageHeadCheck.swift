// SPDX-License-Identifier: MIT

#if canImport(Wire)
@testable import Wire
#endif

/// What must hold of the head and the body of an HTTP/1.1 message, whatever their bytes are.
enum MessageHeadCheck {
    private static let limits = HeadLimits(bytes: 4096, fields: 32)

    /// What does not hold of `input`, or `nil`.
    static func violation(of input: [UInt8]) -> String? {
        input.withUnsafeBytes { bytes in
            violationOfEnds(bytes) ?? violationOfRequest(bytes) ?? violationOfResponse(bytes) ?? violationOfBody(input)
        }
    }

    /// The end is found at the same place when bytes come one by one.
    private static func violationOfEnds(_ bytes: UnsafeRawBufferPointer) -> String? {
        let whole = Result { () throws(HeadError) -> Int? in try HeadScanner.end(of: bytes, limits: limits) }
        var searched = 0
        for count in 0...bytes.count {
            let prefix = UnsafeRawBufferPointer(rebasing: bytes[..<count])
            let part = Result { () throws(HeadError) -> Int? in
                try HeadScanner.end(of: prefix, searched: searched, limits: limits)
            }
            searched = count
            if case .success(nil) = part { continue }
            // A head with two faults may be refused for either.
            if case .failure = part, case .failure = whole { return nil }
            return part == whole ? nil : "the end of a head depends on how its bytes come"
        }
        return whole == .success(nil) ? nil : "a head ends only when all of it is there"
    }

    private static func violationOfRequest(_ bytes: UnsafeRawBufferPointer) -> String? {
        var scanner = HeadScanner()
        guard let found = try? scanner.request(bytes, limits: limits) else { return nil }
        let head: RequestHead = found
        guard head.length <= bytes.count, head.methodRange.upperBound < head.target.lowerBound,
            head.target.upperBound < head.length, let first = head.target.first
        else { return "the parts of a request line are not where they can be" }
        guard bytes[first] == UInt8(ascii: "/") || bytes[first] == UInt8(ascii: "*") else {
            return "a request target is no path"
        }
        guard bytes[head.target].allSatisfy({ (0x21...0x7E).contains($0) }) else {
            return "a request target has bytes that are not visible ASCII"
        }
        return violation(of: scanner.lines, bytes, head.length)
    }

    private static func violationOfResponse(_ bytes: UnsafeRawBufferPointer) -> String? {
        var scanner = HeadScanner()
        guard let found = try? scanner.response(bytes, limits: limits) else { return nil }
        let head: ResponseHead = found
        guard head.length <= bytes.count, (100...999).contains(head.status) else { return "a status line can't be" }
        return violation(of: scanner.lines, bytes, head.length)
    }

    /// Lines follow each other, are inside of the head, and have no control characters.
    private static func violation(of lines: [FieldLine], _ bytes: UnsafeRawBufferPointer, _ length: Int) -> String? {
        guard lines.count <= limits.fields else { return "there are more fields than the limit" }
        for (index, line) in lines.enumerated() {
            guard line.start < line.nameRange.upperBound, line.nameRange.upperBound < line.valueStart + 1,
                line.valueStart <= line.valueEnd, line.valueEnd + 2 <= line.end, line.end + 2 <= length
            else { return "the parts of a field are not where they can be" }
            if index > 0, lines[index - 1].end != line.start { return "there is something between two fields" }
            guard bytes[line.nameRange.upperBound] == UInt8(ascii: ":") else {
                return "there is no colon behind a name"
            }
            guard bytes[line.nameRange].allSatisfy({ (0x21...0x7E).contains($0) && $0 != UInt8(ascii: ":") }) else {
                return "a name is no token"
            }
            guard !bytes[line.value].contains(where: { $0 == 0 || $0 == 13 || $0 == 10 }) else {
                return "a value has a line break or a NUL"
            }
            if let first = line.value.first, let last = line.value.last {
                guard bytes[first] != 32, bytes[first] != 9, bytes[last] != 32, bytes[last] != 9 else {
                    return "a value is not trimmed"
                }
            }
        }
        return nil
    }

    /// The payload of a body in chunks is the same when bytes come one by one.
    private static func violationOfBody(_ input: [UInt8]) -> String? {
        let whole = payload([input[...]])
        guard payload(input.indices.map { input[$0...$0] }) == whole else {
            return "cutting a body changes its payload"
        }
        return nil
    }

    private struct Payload: Equatable {
        var bytes: [UInt8] = []
        var used = 0
        var isComplete = false
        var fails = false
    }

    private static func payload(_ pieces: [ArraySlice<UInt8>]) -> Payload {
        var framing = BodyFraming.chunked
        var counting = BodyFraming.chunked
        var result = Payload()
        for piece in pieces where !result.fails && !framing.isComplete {
            Array(piece).withUnsafeBytes { bytes in
                var offset = 0
                do {
                    while case .payload(let range) = try framing.next(bytes, at: &offset) {
                        result.bytes += bytes[range]
                    }
                    result.used += try counting.take(bytes)
                } catch {
                    result.fails = true
                }
            }
        }
        result.isComplete = framing.isComplete && counting.isComplete
        // How far a piece was read before the fault was seen says nothing.
        if result.fails { result.used = 0 }
        return result
    }
}
