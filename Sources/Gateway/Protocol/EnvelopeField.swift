// SPDX-License-Identifier: MIT

/// The members of a message that the scanner looks at.
enum EnvelopeField: UInt8, Sendable {
    case jsonrpc
    case id
    case method
    case params
    case result
    case error
    case name
    case uri
    case taskID
    case requestID
    case progressToken
    case requestedVersion
    case meta
    case metaProtocolVersion
    case metaClientCapabilities
    case metaProgressToken
    case metaSubscriptionID
    case resultMeta
    case resultVersion
    case resultSubscriptionID

    var bit: UInt32 { 1 << UInt32(rawValue) }

    /// How many bytes of its unescaped text are kept; 0 where the text is of no interest.
    var textLimit: Int {
        switch self {
        case .jsonrpc: 8
        case .method: 256
        case .name, .taskID: 4096
        case .uri: 8192
        case .requestedVersion, .metaProtocolVersion, .resultVersion: 64
        default: 0
        }
    }

    /// The scope of the members of its value, if those matter.
    var scope: EnvelopeScope? {
        switch self {
        case .params: .params
        case .result: .result
        case .meta: .meta
        case .resultMeta: .resultMeta
        default: nil
        }
    }
}

/// An object whose members the scanner looks at.
enum EnvelopeScope: UInt8, Sendable {
    /// None: what is read now is skipped.
    case outside
    /// The message.
    case message
    /// Its `params`.
    case params
    /// `params._meta`.
    case meta
    /// Its `result`.
    case result
    /// `result._meta`.
    case resultMeta

    /// The longest key that matters in any scope.
    static let longestKey = 42

    var parent: EnvelopeScope {
        switch self {
        case .outside, .message: .outside
        case .params, .result: .message
        case .meta: .params
        case .resultMeta: .result
        }
    }

    /// The member that is called `key`, or `nil` where it does not matter.
    @inline(__always)
    func field(_ key: UnsafeBufferPointer<UInt8>) -> EnvelopeField? {
        for candidate in candidates where key.equals(candidate.key) { return candidate.field }
        return nil
    }

    /// The member whose name differs from `key` in nothing but letter case, as case-insensitive parsers compare:
    /// `ſ` counts as `s` and the Kelvin sign as `k`.
    func similarField(_ key: UnsafeBufferPointer<UInt8>) -> EnvelopeField? {
        for candidate in candidates where key.folds(to: candidate.key) { return candidate.field }
        return nil
    }

    private typealias Candidate = (key: StaticString, field: EnvelopeField)

    private var candidates: [Candidate] {
        switch self {
        case .outside: []
        case .message: Self.messageKeys
        case .params: Self.paramsKeys
        case .meta: Self.metaKeys
        case .result: Self.resultKeys
        case .resultMeta: Self.resultMetaKeys
        }
    }

    private static let messageKeys: [Candidate] = [
        ("jsonrpc", .jsonrpc), ("id", .id), ("method", .method), ("params", .params), ("result", .result),
        ("error", .error),
    ]
    private static let paramsKeys: [Candidate] = [
        ("name", .name), ("uri", .uri), ("taskId", .taskID), ("requestId", .requestID),
        ("progressToken", .progressToken), ("protocolVersion", .requestedVersion), ("_meta", .meta),
    ]
    private static let metaKeys: [Candidate] = [
        ("io.modelcontextprotocol/protocolVersion", .metaProtocolVersion),
        ("io.modelcontextprotocol/clientCapabilities", .metaClientCapabilities),
        ("io.modelcontextprotocol/subscriptionId", .metaSubscriptionID),
        ("progressToken", .metaProgressToken),
    ]
    private static let resultKeys: [Candidate] = [("protocolVersion", .resultVersion), ("_meta", .resultMeta)]
    private static let resultMetaKeys: [Candidate] = [
        ("io.modelcontextprotocol/subscriptionId", .resultSubscriptionID)
    ]
}

extension UnsafeBufferPointer<UInt8> {
    /// Whether the bytes are exactly those of `text`.
    @inline(__always)
    fileprivate func equals(_ text: StaticString) -> Bool {
        guard count == text.utf8CodeUnitCount else { return false }
        let other = text.utf8Start
        for index in 0..<count where self[index] != other[index] { return false }
        return true
    }

    /// Whether the bytes are those of `text`, an ASCII text, when case does not count.
    fileprivate func folds(to text: StaticString) -> Bool {
        var index = 0
        let length = text.utf8CodeUnitCount
        for position in 0..<length {
            guard index < count else { return false }
            let expected = text.utf8Start[position].lowercasedASCII
            if self[index].lowercasedASCII == expected {
                index += 1
            } else if expected == UInt8(ascii: "s"), index + 1 < count, self[index] == 0xC5, self[index + 1] == 0xBF {
                index += 2
            } else if expected == UInt8(ascii: "k"), index + 2 < count, self[index] == 0xE2, self[index + 1] == 0x84,
                self[index + 2] == 0xAA
            {
                index += 3
            } else {
                return false
            }
        }
        return index == count
    }
}

extension UInt8 {
    /// The byte with `A…Z` made `a…z`.
    @inline(__always)
    var lowercasedASCII: UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(self) ? self | 0x20 : self
    }
}
