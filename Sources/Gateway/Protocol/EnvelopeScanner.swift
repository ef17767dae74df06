// SPDX-License-Identifier: MIT

/// Reads one JSON-RPC body as it arrives, in pieces cut anywhere, and keeps only what routing needs.
///
/// Strict RFC 8259: structure, numbers, literals, escapes and UTF-8 are all checked, a byte order mark is refused,
/// containers nest at most ``maximumDepth`` deep. Members that decide about routing may occur only once. Nothing is
/// kept of the rest, so memory does not grow with the body; long strings are passed over eight bytes at a time.
///
/// After an error every call throws the same error again.
public struct EnvelopeScanner: Sendable {
    /// How deep containers may nest.
    ///
    /// Common parsers allow more; nothing in MCP comes near it.
    public static let maximumDepth = 128
    /// How many bytes the text of an id may have, quotation marks and escapes included.
    public static let maximumIDLength = 1024
    /// How many messages a batch may have.
    public static let maximumBatchCount = 256

    enum State: Sendable {
        case value
        case elementOrEnd
        case keyOrEnd
        case key
        case colon
        case afterValue
        case end
        case string
        case escape
        case unicode
        case literal
        case minus
        case zero
        case integer
        case point
        case fraction
        case exponent
        case exponentSign
        case exponentDigits
    }

    /// What becomes of the bytes of the string or number that is being read.
    enum Capture: Sendable {
        case nothing
        case key
        case text
        case raw
    }

    var state = State.value
    var failure: EnvelopeError?
    /// Bytes of the pieces before this one.
    var offset = 0

    // The open containers: bit `depth - 1` tells an object from an array.
    var depth = 0
    var objects: UInt128 = 0

    // Where among the interesting objects we are. Keys matter only at `depth == scopeDepth`.
    var scope = EnvelopeScope.outside
    var scopeDepth = 0
    /// The interesting member whose value comes next, or is being read if it is a scalar.
    var field: EnvelopeField?
    /// Bits of members seen in another case than theirs.
    var similarlySeen: UInt32 = 0
    var elementStart = 0

    // The scalar that is being read.
    var scalarStart = 0
    var scalarKind = JSONKind.null
    var isKey = false
    var capture = Capture.nothing
    var captureStart = 0
    var captureLimit = 0
    var captureOverflows = false
    /// The rest of `true`, `false` or `null`, the next byte lowest.
    var literalRest: UInt32 = 0
    var hexDigits = 0
    var hexValue: UInt32 = 0
    var highSurrogate: UInt32 = 0
    // UTF-8: how many bytes of the character are to come, and what the next one may be (Unicode 15, table 3-7).
    var continuationCount = 0
    var continuationLow: UInt8 = 0x80
    var continuationHigh: UInt8 = 0xBF

    var envelope = Envelope()

    /// A scanner at the start of a body.
    public init() {}

    /// Reads all of `bytes`.
    public static func scan(_ bytes: UnsafeRawBufferPointer) throws(EnvelopeError) -> Envelope {
        var scanner = EnvelopeScanner()
        try scanner.consume(bytes)
        return try scanner.finish()
    }

    /// Reads all of `bytes`.
    public static func scan(_ bytes: [UInt8]) throws(EnvelopeError) -> Envelope {
        var scanner = EnvelopeScanner()
        try scanner.consume(bytes)
        return try scanner.finish()
    }

    /// Reads all of `bytes`.
    public static func scan(_ bytes: ArraySlice<UInt8>) throws(EnvelopeError) -> Envelope {
        let result = bytes.withUnsafeBytes { pointer in
            Result { () throws(EnvelopeError) in try scan(pointer) }
        }
        return try result.get()
    }

    /// Reads the next piece of the body, which may be empty.
    public mutating func consume(_ chunk: [UInt8]) throws(EnvelopeError) {
        let result = chunk.withUnsafeBytes { pointer in
            Result { () throws(EnvelopeError) in try consume(pointer) }
        }
        try result.get()
    }

    /// Reads the next piece of the body, which may be empty.
    public mutating func consume(_ chunk: UnsafeRawBufferPointer) throws(EnvelopeError) {
        if let failure { throw failure }
        do {
            try read(chunk)
        } catch {
            failure = error
            throw error
        }
        offset += chunk.count
    }

    /// Ends the body and returns what it was.
    ///
    /// The scanner is of no use afterwards.
    public mutating func finish() throws(EnvelopeError) -> Envelope {
        if let failure { throw failure }
        if depth == 0 {
            switch state {
            case .zero, .integer, .fraction, .exponentDigits: try endScalar(at: offset)
            default: break
            }
        }
        guard state == .end else {
            failure = .truncated
            throw .truncated
        }
        if envelope.kind == .array { envelope.storage = [] }
        failure = .truncated
        return envelope
    }

    private mutating func read(_ chunk: UnsafeRawBufferPointer) throws(EnvelopeError) {
        let count = chunk.count
        var index = 0
        while index < count {
            switch state {
            case .string:
                index = try readString(chunk, from: index)
            case .escape:
                try readEscape(chunk[index], at: offset + index)
                index += 1
            case .unicode:
                try readHexDigit(chunk[index], at: offset + index)
                index += 1
            case .literal:
                guard UInt32(chunk[index]) == literalRest & 0xFF else { throw .malformed(offset: offset + index) }
                literalRest >>= 8
                index += 1
                if literalRest == 0 { try endScalar(at: offset + index) }
            case .minus, .zero, .integer, .point, .fraction, .exponent, .exponentSign, .exponentDigits:
                if try readNumber(chunk[index], at: offset + index) { index += 1 }
            case .value, .elementOrEnd, .keyOrEnd, .key, .colon, .afterValue, .end:
                let byte = chunk[index]
                if !byte.isJSONSpace { try readStructure(byte, at: offset + index) }
                index += 1
            }
        }
    }
}

extension UInt8 {
    @inline(__always)
    var isJSONSpace: Bool {
        self == 0x20 || self == 0x0A || self == 0x0D || self == 0x09
    }

    @inline(__always)
    var isDigit: Bool { self &- 0x30 < 10 }
}
