// SPDX-License-Identifier: MIT

import FoundationEssentials
import MCPProtocol
import Testing

/// A JSON document as the decoder of Foundation reads it.
private enum JSONValue: Decodable, Equatable {
    case null
    case boolean(Bool)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .boolean(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let value = try? container.decode([JSONValue].self) {
            self = .array(value)
        } else {
            self = .object(try container.decode([String: JSONValue].self))
        }
    }

    subscript(_ name: String) -> JSONValue? {
        if case .object(let members) = self { members[name] } else { nil }
    }

    var kind: JSONKind {
        switch self {
        case .null: .null
        case .boolean: .boolean
        case .number: .number
        case .string: .string
        case .array: .array
        case .object: .object
        }
    }

    static func read(_ bytes: [UInt8]) -> JSONValue? {
        try? JSONDecoder().decode(JSONValue.self, from: Data(bytes))
    }
}

@Suite("Envelope scanner against another parser")
struct EnvelopeDifferentialTests {
    @Test("both read the same members of random messages, and the split does not matter", arguments: 0..<40)
    func members(_ block: UInt64) throws {
        for seed in block * 25..<block * 25 + 25 {
            var generator = MessageGenerator(seed: seed)
            let bytes = Array(generator.message().utf8)
            let document = try #require(JSONValue.read(bytes))
            let envelope = try EnvelopeScanner.scan(bytes)
            try compare(envelope, document, bytes)
            #expect(outcome(bytes.indices.map { bytes[$0...$0] }) == .success(envelope))
            if seed % 5 == 0 { #expect(outcomesOfEverySplit(bytes) == [.success(envelope)]) }
        }
    }

    @Test("both accept and refuse the same when bytes are changed, removed, added or swapped", arguments: 0..<40)
    func mutations(_ block: UInt64) throws {
        let alphabet = Array("{}[]:,\"\\/ue0123456789.-+tfn \n\u{0}\u{1F}".utf8) + [0x80, 0xC3, 0xA9, 0xED, 0xF0, 0xFF]
        for seed in block * 80..<block * 80 + 80 {
            var generator = MessageGenerator(seed: seed)
            var bytes = Array(generator.message().utf8)
            for _ in 0..<Int.random(in: 1...2, using: &generator) {
                // Outside of texts there is more to break, so half of the changes are made where a number is.
                let digits = bytes.indices.filter { (0x30...0x39).contains(bytes[$0]) }
                let anywhere = Int.random(in: bytes.indices, using: &generator)
                let index =
                    Bool.random(using: &generator) ? digits.randomElement(using: &generator) ?? anywhere : anywhere
                let byte = alphabet.randomElement(using: &generator) ?? 0
                switch Int.random(in: 0..<5, using: &generator) {
                case 0: bytes[index] = byte
                case 1 where bytes.count > 1: bytes.remove(at: index)
                case 2: bytes.swapAt(index, Int.random(in: bytes.indices, using: &generator))
                case 3: bytes.insert(bytes[index], at: index)
                default: bytes.insert(byte, at: index + 1)
                }
            }
            let outcome = outcome([bytes[...]])
            if seed % 20 == 0 { #expect(outcomesOfEverySplit(bytes) == [outcome]) }
            switch (outcome, JSONValue.read(bytes)) {
            case (.success(let envelope), let document?):
                try compare(envelope, document, bytes)
            case (.success, nil):
                // Foundation refuses lone surrogates, and numbers that no Double is near to; RFC 8259 does not.
                let text = String(decoding: bytes, as: UTF8.self).lowercased()
                #expect(text.contains("\\ud") || text.contains(/[0-9]e[+-]?[0-9]{3}/), "\(text)")
            case (.failure(let error), let document):
                #expect(document == nil || !error.isSyntax, "\(error): \(String(decoding: bytes, as: UTF8.self))")
            }
        }
    }

    private func compare(_ envelope: Envelope, _ document: JSONValue, _ bytes: [UInt8]) throws {
        #expect(envelope.kind == document.kind)
        guard envelope.kind == .object else { return }
        let params = document["params"]
        let meta = params?["_meta"]
        let prefix = "io.modelcontextprotocol/"
        for (text, value) in [
            (envelope.method, document["method"]), (envelope.name, params?["name"]), (envelope.uri, params?["uri"]),
            (envelope.taskID, params?["taskId"]), (envelope.requestedVersion, params?["protocolVersion"]),
            (envelope.metaVersion, meta?[prefix + "protocolVersion"]),
            (envelope.resultVersion, document["result"]?["protocolVersion"]),
        ] {
            switch text {
            case .absent: #expect(value == nil)
            case .overlong: break
            case .wrongKind(let kind): #expect(value?.kind == kind)
            case .bytes(let bytes): #expect(value == .string(String(decoding: bytes, as: UTF8.self)))
            }
        }
        for (location, value) in [
            (envelope.idLocation, document["id"]), (envelope.requestID, params?["requestId"]),
            (envelope.progressToken, params?["progressToken"]), (envelope.metaProgressToken, meta?["progressToken"]),
            (envelope.subscriptionID, meta?[prefix + "subscriptionId"]),
            (envelope.resultSubscriptionID, document["result"]?["_meta"]?[prefix + "subscriptionId"]),
        ] {
            let isScalar = value.map { $0.kind != .object && $0.kind != .array } ?? false
            #expect((location != nil) == isScalar)
            if let location {
                #expect(JSONValue.read(Array(bytes[location.range])) == value)
                #expect(location.kind == value?.kind)
            }
        }
        #expect(envelope.clientCapabilitiesKind == meta?[prefix + "clientCapabilities"]?.kind)
        #expect(envelope.paramsKind == params?.kind)
        #expect(envelope.hasResult == (document["result"] != nil))
        #expect(envelope.hasError == (document["error"] != nil))
    }
}
