// SPDX-License-Identifier: MIT

internal import CYAML

/// Why a text is not the YAML that is read here.
public struct YAMLError: Error, CustomStringConvertible {
    /// Counted from 1.
    public var line: Int
    /// What is wrong there.
    public var message: String

    /// Describes a fault.
    public init(line: Int, message: String) {
        self.line = line
        self.message = message
    }

    /// The text form.
    public var description: String { "line \(line): \(message)" }
}

/// Reads one YAML document into a tree, through libyaml's event parser.
///
/// Refused, because a configuration is better off without them: several documents, anchors and aliases, a key that is
/// not a scalar, the same key twice, and more than 32 levels.
public struct YAMLParser: ~Copyable {
    private static let maximumDepth = 32

    private let parser: UnsafeMutablePointer<yaml_parser_t>
    private let input: UnsafeMutableBufferPointer<UInt8>

    /// The tree of `text`, or `nil` when the document is empty.
    public static func parse(_ text: [UInt8]) throws(YAMLError) -> YAMLNode? {
        var parser = YAMLParser(text)
        return try parser.document()
    }

    private init(_ text: [UInt8]) {
        parser = .allocate(capacity: 1)
        input = .allocate(capacity: text.count)
        _ = input.initialize(from: text)
        yaml_parser_initialize(parser)
        yaml_parser_set_input_string(parser, input.baseAddress, input.count)
    }

    deinit {
        yaml_parser_delete(parser)
        parser.deallocate()
        input.deallocate()
    }

    /// One event of the parser, copied out of libyaml's memory.
    private enum Event {
        case scalar(String, isPlain: Bool)
        case sequenceStart
        case sequenceEnd
        case mappingStart
        case mappingEnd
        case documentStart
        case documentEnd
        case streamEnd
    }

    private mutating func document() throws(YAMLError) -> YAMLNode? {
        guard case (.documentStart, _) = try next() else { return nil }
        let (event, line) = try next()
        let root = try node(event, line: line, depth: 0)
        _ = try next()
        let (rest, restLine) = try next()
        guard case .streamEnd = rest else {
            throw YAMLError(line: restLine, message: "a second document begins here; only one is read")
        }
        return root
    }

    private mutating func node(_ event: Event, line: Int, depth: Int) throws(YAMLError) -> YAMLNode {
        guard depth < Self.maximumDepth else {
            throw YAMLError(line: line, message: "more than \(Self.maximumDepth) levels")
        }
        switch event {
        case .scalar(let text, let isPlain):
            return YAMLNode(content: .scalar(text, isPlain: isPlain), line: line)
        case .sequenceStart:
            var items: [YAMLNode] = []
            while true {
                let (event, line) = try next()
                if case .sequenceEnd = event { break }
                items.append(try node(event, line: line, depth: depth + 1))
            }
            return YAMLNode(content: .sequence(items), line: line)
        case .mappingStart:
            return YAMLNode(content: .mapping(try entries(depth: depth)), line: line)
        case .sequenceEnd, .mappingEnd, .documentStart, .documentEnd, .streamEnd:
            throw YAMLError(line: line, message: "a value is missing")
        }
    }

    private mutating func entries(depth: Int) throws(YAMLError) -> [YAMLNode.Entry] {
        var entries: [YAMLNode.Entry] = []
        var keys: Set<String> = []
        while true {
            let (event, line) = try next()
            if case .mappingEnd = event { return entries }
            guard case .scalar(let key, _) = event else {
                throw YAMLError(line: line, message: "a key must be a plain word")
            }
            guard keys.insert(key).inserted else {
                throw YAMLError(line: line, message: "the key '\(key)' stands here a second time")
            }
            let (valueEvent, valueLine) = try next()
            let value = try node(valueEvent, line: valueLine, depth: depth + 1)
            entries.append(YAMLNode.Entry(key: key, line: line, value: value))
        }
    }

    private mutating func next() throws(YAMLError) -> (Event, line: Int) {
        while true {
            var raw = yaml_event_t()
            guard yaml_parser_parse(parser, &raw) == 1 else {
                let problem = parser.pointee.problem.map { String(cString: $0) } ?? "this is not YAML"
                throw YAMLError(line: parser.pointee.problem_mark.line + 1, message: problem)
            }
            defer { yaml_event_delete(&raw) }
            let line = raw.start_mark.line + 1
            switch raw.type {
            case YAML_STREAM_START_EVENT: continue
            case YAML_DOCUMENT_START_EVENT: return (.documentStart, line)
            case YAML_DOCUMENT_END_EVENT: return (.documentEnd, line)
            case YAML_SEQUENCE_START_EVENT:
                try Self.refuseAnchor(raw.data.sequence_start.anchor, line: line)
                return (.sequenceStart, line)
            case YAML_SEQUENCE_END_EVENT: return (.sequenceEnd, line)
            case YAML_MAPPING_START_EVENT:
                try Self.refuseAnchor(raw.data.mapping_start.anchor, line: line)
                return (.mappingStart, line)
            case YAML_MAPPING_END_EVENT: return (.mappingEnd, line)
            case YAML_SCALAR_EVENT:
                let scalar = raw.data.scalar
                try Self.refuseAnchor(scalar.anchor, line: line)
                let bytes = UnsafeBufferPointer(start: scalar.value, count: scalar.length)
                let text = String(decoding: bytes, as: UTF8.self)
                return (.scalar(text, isPlain: scalar.style == YAML_PLAIN_SCALAR_STYLE), line)
            case YAML_ALIAS_EVENT:
                throw YAMLError(line: line, message: "anchors and aliases are not read here; write the value out")
            default: return (.streamEnd, line)
            }
        }
    }

    private static func refuseAnchor(_ anchor: UnsafeMutablePointer<yaml_char_t>?, line: Int) throws(YAMLError) {
        guard anchor == nil else {
            throw YAMLError(line: line, message: "anchors and aliases are not read here; write the value out")
        }
    }
}
