// SPDX-License-Identifier: MIT

import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing

@testable import Wire

/// A whole request as a reader understands it.
private struct ReadRequest: Equatable {
    var method = ""
    var target = ""
    var isHTTP11 = true
    var keepsAlive = true
    var fields: [String] = []
    var body: [UInt8] = []
    var isComplete = false
}

/// Reads a connection's bytes with our scanner: requests in order, until one is refused or not whole.
private func readWithScanner(_ input: [UInt8]) -> [ReadRequest] {
    var requests: [ReadRequest] = []
    var scanner = HeadScanner()
    var rest = input[...]
    while !rest.isEmpty {
        let read = rest.withUnsafeBytes { bytes -> (ReadRequest, Int)? in
            guard let found = try? scanner.request(bytes, limits: HeadLimits()) else { return nil }
            let head: RequestHead = found
            func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }
            var request = ReadRequest()
            request.method = text(head.methodRange)
            // What another reader gives is the whole target, of which ours names the part behind the host.
            request.target = text(head.methodRange.upperBound..<head.target.upperBound)
            request.isHTTP11 = head.isHTTP11
            request.keepsAlive = head.keepsAlive
            request.fields = scanner.lines.map { "\(text($0.nameRange))=\(text($0.value))" }
            var framing = head.framing
            var offset = head.length
            do {
                while case .payload(let range) = try framing.next(bytes, at: &offset) { request.body += bytes[range] }
            } catch {
                return nil
            }
            request.isComplete = framing.isComplete
            return (request, offset)
        }
        guard let (request, count) = read, request.isComplete else { break }
        var trimmed = request
        trimmed.target.removeFirst()
        requests.append(trimmed)
        rest = rest.dropFirst(count)
        if !request.keepsAlive { break }
    }
    return requests
}

/// Reads the same bytes with SwiftNIO's decoder; `isRefused` when it found something wrong in the end.
private func readWithNIO(_ input: [UInt8]) -> (requests: [ReadRequest], isRefused: Bool) {
    let channel = EmbeddedChannel(handler: ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes)))
    defer { _ = try? channel.finish(acceptAlreadyClosed: true) }
    // What it read before it refused the rest is still given.
    let isRefused = (try? channel.writeInbound(ByteBuffer(bytes: input))) == nil
    var requests: [ReadRequest] = []
    while let part = try? channel.readInbound(as: HTTPServerRequestPart.self) {
        switch part {
        case .head(let head):
            requests.append(
                ReadRequest(
                    method: head.method.rawValue, target: head.uri, isHTTP11: head.version == .http1_1,
                    keepsAlive: head.isKeepAlive,
                    fields: head.headers.map { "\($0.name)=\($0.value.trimmed)" }))
        case .body(let bytes): requests[requests.count - 1].body += Array(bytes.readableBytesView)
        case .end: requests[requests.count - 1].isComplete = true
        }
    }
    return (requests, isRefused)
}

extension String {
    fileprivate var trimmed: String {
        let isSpace: (Character) -> Bool = { $0 == " " || $0 == "\t" }
        return String(drop(while: isSpace).reversed().drop(while: isSpace).reversed())
    }
}

/// A generator with a seed, so that what fails once fails again (SplitMix64).
private struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// Makes requests, well-formed ones and ones with a few bytes changed.
private struct RequestGenerator {
    var random: SeededGenerator

    private mutating func one(_ choices: [String]) -> String { choices.randomElement(using: &random) ?? "" }

    mutating func request() -> String {
        var text = one(["GET", "POST", "DELETE", "OPTIONS", "HEAD", "PUT", "PATCH"]) + " "
        let isAbsolute = Int.random(in: 0..<10, using: &random) == 0
        text += (isAbsolute ? "http://h" : "") + one(["/", "/a?b=c", "/%20/[x]?y=;", "/a/../b//"])
        text += one([" HTTP/1.1", " HTTP/1.1", " HTTP/1.1", " HTTP/1.0"]) + "\r\n"
        var lines = ["Host:\(one([" ", "", "\t "]))h"]
        for _ in 0..<Int.random(in: 0..<3, using: &random) {
            lines.append(
                one(["A", "x-y", "Accept", "Te", "!#$%&'*+-.^_`|~"]) + ":"
                    + one(["", " ", " b", "  b c\t", " \u{E4}\u{F6}", " \"q,r\"", " a:b"]))
        }
        if Int.random(in: 0..<4, using: &random) == 0 {
            lines.append("Connection: " + one(["close", "keep-alive", "Close, x", "x, keep-alive", ""]))
        }
        var body = ""
        switch Int.random(in: 0..<4, using: &random) {
        case 0:
            body = one(["", "a", "hello", "GET / HTTP/1.1\r\n\r\n"])
            lines.append("Content-Length: \(one(["", "0"]))\(body.utf8.count)")
        case 1:
            lines.append("Transfer-Encoding: \(one(["chunked", "Chunked", "CHUNKED"]))")
            for _ in 0..<Int.random(in: 0..<3, using: &random) {
                let chunk = one(["a", "hello", "\r\n", "0\r\n\r\n", String(repeating: "x", count: 20)])
                body += String(chunk.utf8.count, radix: 16) + one(["", "", ";a=b", ";x"]) + "\r\n" + chunk + "\r\n"
            }
            body += one(["0", "0", "000", "0;a"]) + "\r\n" + one(["", "", "T: v\r\n", "T: v\r\nU: w\r\n"]) + "\r\n"
        default: break
        }
        lines.shuffle(using: &random)
        return text + lines.map { $0 + "\r\n" }.joined() + "\r\n" + body
    }

    /// Changes, removes, repeats or adds a few bytes.
    mutating func mutate(_ input: [UInt8]) -> [UInt8] {
        let interesting: [UInt8] = [0, 9, 10, 13, 32, 34, 44, 45, 48, 49, 58, 59, 61, 65, 97, 127, 128, 255]
        var bytes = input
        for _ in 0..<Int.random(in: 1...3, using: &random) where !bytes.isEmpty {
            let index = Int.random(in: bytes.indices, using: &random)
            let byte = interesting.randomElement(using: &random) ?? 0
            switch Int.random(in: 0..<5, using: &random) {
            case 0: bytes[index] = byte
            case 1: bytes.remove(at: index)
            case 2: bytes.insert(byte, at: index)
            case 3: bytes.insert(bytes[index], at: index)
            default:
                // A whole line once more, or away.
                let start = bytes[..<index].lastIndex(of: 10).map { $0 + 1 } ?? 0
                let end = bytes[index...].firstIndex(of: 10).map { $0 + 1 } ?? bytes.count
                if Bool.random(using: &random) {
                    bytes.insert(contentsOf: bytes[start..<end], at: end)
                } else {
                    bytes.removeSubrange(start..<end)
                }
            }
        }
        return bytes
    }
}

@Suite("Comparison with another decoder")
struct DecoderDifferentialTests {
    private static let methods: Set<String> = ["GET", "POST", "DELETE", "OPTIONS", "HEAD", "PUT", "PATCH"]

    /// The other decoder knows a fixed list of methods, and stops reading HTTP behind an upgrade.
    private static func isComparable(_ request: ReadRequest) -> Bool {
        methods.contains(request.method) && !request.fields.contains { $0.lowercased().hasPrefix("upgrade=") }
    }

    /// Compares what both have accepted.
    ///
    /// The other one may refuse more, which harms nobody: it does not know tabs around
    /// `chunked`, nor all that the grammar has in chunk extensions.
    ///
    /// - Returns: how many requests were read by both.
    private static func compare(_ input: [UInt8]) -> Int {
        let ours = readWithScanner(input)
        guard !ours.isEmpty, ours.allSatisfy(isComparable) else { return 0 }
        let (theirs, isRefused) = readWithNIO(input)
        let read = isRefused ? theirs.count { $0.isComplete } : ours.count
        #expect(
            theirs.prefix(ours.count).filter(\.isComplete) == Array(ours.prefix(read)),
            "\(String(decoding: input, as: UTF8.self).debugDescription)")
        return min(read, ours.count)
    }

    @Test("the samples that are accepted are read the same by another decoder")
    func samples() {
        for (text, request) in RequestHeadSamples.accepted {
            let length = request.framing.remainingLength ?? 0
            guard length < 1000 else { continue }
            let body = request.framing == .chunked ? "0\r\n\r\n" : String(repeating: "x", count: Int(length))
            #expect(Self.compare(Array((text + body).utf8)) == 1)
        }
    }

    @Test("whatever is accepted of pipelined requests is read the same by another decoder", arguments: 1...8)
    func generated(seed: UInt64) {
        var generator = RequestGenerator(random: SeededGenerator(state: seed))
        var accepted = 0
        for _ in 0..<300 {
            let input = Array((generator.request() + generator.request()).utf8)
            accepted += Self.compare(input)
        }
        #expect(accepted > 300)
    }

    @Test("whatever is accepted of damaged requests is read the same by another decoder", arguments: 1...8)
    func damaged(seed: UInt64) {
        var generator = RequestGenerator(random: SeededGenerator(state: seed &* 1000))
        var accepted = 0
        for _ in 0..<1500 {
            let input = Array((generator.request() + generator.request()).utf8)
            accepted += Self.compare(generator.mutate(input))
        }
        #expect(accepted > 300)
    }
}
