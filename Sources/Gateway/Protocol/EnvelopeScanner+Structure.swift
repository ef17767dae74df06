// SPDX-License-Identifier: MIT

extension EnvelopeScanner {
    /// Reads a byte between the scalars that is no white space.
    mutating func readStructure(_ byte: UInt8, at position: Int) throws(EnvelopeError) {
        switch state {
        case .value:
            return try beginValue(byte, at: position)
        case .elementOrEnd:
            return byte == UInt8(ascii: "]") ? try close(at: position) : try beginValue(byte, at: position)
        case .keyOrEnd:
            if byte == UInt8(ascii: "\"") { return beginKey() }
            if byte == UInt8(ascii: "}") { return try close(at: position) }
        case .key:
            if byte == UInt8(ascii: "\"") { return beginKey() }
        case .colon:
            if byte == UInt8(ascii: ":") { return state = .value }
        case .afterValue:
            let isInObject = objects >> UInt128(depth - 1) & 1 == 1
            if byte == UInt8(ascii: ",") { return state = isInObject ? .key : .value }
            if byte == (isInObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) { return try close(at: position) }
        default:
            // Behind the end of the body; the states inside of scalars are read elsewhere.
            break
        }
        throw .malformed(offset: position)
    }

    private mutating func beginKey() {
        isKey = true
        state = .string
        if depth == scopeDepth, scope != .outside {
            beginCapture(.key, limit: EnvelopeScope.longestKey * 2)
        } else {
            capture = .nothing
        }
    }

    private mutating func beginValue(_ byte: UInt8, at position: Int) throws(EnvelopeError) {
        switch byte {
        case UInt8(ascii: "{"): try open(.object, at: position)
        case UInt8(ascii: "["): try open(.array, at: position)
        case UInt8(ascii: "\""): try beginScalar(.string, .string, byte, at: position)
        case UInt8(ascii: "-"): try beginScalar(.number, .minus, byte, at: position)
        case UInt8(ascii: "0"): try beginScalar(.number, .zero, byte, at: position)
        case UInt8(ascii: "1")...UInt8(ascii: "9"): try beginScalar(.number, .integer, byte, at: position)
        case UInt8(ascii: "t"): try beginLiteral(.boolean, "eur", byte, at: position)
        case UInt8(ascii: "f"): try beginLiteral(.boolean, "esla", byte, at: position)
        case UInt8(ascii: "n"): try beginLiteral(.null, "llu", byte, at: position)
        default: throw .malformed(offset: position)
        }
    }

    /// Begins a literal; `reversedRest` is what follows its first byte, the last letter first.
    private mutating func beginLiteral(
        _ kind: JSONKind, _ reversedRest: StaticString, _ byte: UInt8, at position: Int
    ) throws(EnvelopeError) {
        literalRest = 0
        for index in 0..<reversedRest.utf8CodeUnitCount {
            literalRest = literalRest << 8 | UInt32(reversedRest.utf8Start[index])
        }
        try beginScalar(kind, .literal, byte, at: position)
    }

    private mutating func beginScalar(
        _ kind: JSONKind, _ next: State, _ byte: UInt8, at position: Int
    ) throws(EnvelopeError) {
        isKey = false
        scalarStart = position
        scalarKind = kind
        capture = .nothing
        state = next
        if depth == 0 { envelope.kind = kind }
        if depth == 1, envelope.kind == .array { try beginElement(at: position) }
        guard let field else { return }
        if field == .id, kind == .string || kind == .number {
            beginCapture(.raw, limit: Self.maximumIDLength)
            emit(byte)
        } else if field.textLimit > 0, kind == .string {
            beginCapture(.text, limit: field.textLimit)
        }
    }

    private mutating func beginElement(at position: Int) throws(EnvelopeError) {
        guard let count = envelope.batch?.elements.count, count < Self.maximumBatchCount else {
            throw .batchTooLong(offset: position)
        }
        elementStart = position
    }

    private mutating func open(_ kind: JSONKind, at position: Int) throws(EnvelopeError) {
        guard depth < Self.maximumDepth else { throw .tooDeep(offset: position) }
        if depth == 0 {
            envelope.kind = kind
            if kind == .array { envelope.batch = Envelope.Batch() }
        }
        let isElement = depth == 1 && envelope.kind == .array
        if isElement { try beginElement(at: position) }
        let bit: UInt128 = 1 << UInt128(depth)
        objects = kind == .object ? objects | bit : objects & ~bit
        depth += 1
        if kind == .object, isElement || depth == 1 {
            scope = .message
            scopeDepth = depth
            similarlySeen = 0
            if envelope.storage.isEmpty { envelope.storage.reserveCapacity(256) }
        } else if let field {
            note(field, kind)
            if kind == .object, let inner = field.scope {
                scope = inner
                scopeDepth = depth
            }
        }
        field = nil
        state = kind == .object ? .keyOrEnd : .elementOrEnd
    }

    private mutating func close(at position: Int) throws(EnvelopeError) {
        let endsMessage = depth == scopeDepth && scope == .message
        if depth == scopeDepth, scope != .outside {
            scope = scope.parent
            scopeDepth = scope == .outside ? 0 : scopeDepth - 1
        }
        depth -= 1
        endValue(at: position + 1, isMessage: endsMessage)
    }

    /// Ends the string, number or literal that is being read; `position` is that of the byte behind it.
    mutating func endScalar(at position: Int) throws(EnvelopeError) {
        if isKey { return try endKey(at: position) }
        if let field {
            if field == .id, captureOverflows, capture == .raw { throw .identifierTooLong(offset: scalarStart) }
            note(field, scalarKind, Envelope.Location(range: scalarStart..<position, kind: scalarKind))
        }
        field = nil
        capture = .nothing
        endValue(at: position, isMessage: false)
    }

    private mutating func endKey(at position: Int) throws(EnvelopeError) {
        state = .colon
        guard capture == .key else { return }
        capture = .nothing
        let start = captureStart
        defer { envelope.storage.removeSubrange(start...) }
        if captureOverflows { return }
        let (exact, similar) = envelope.storage.withUnsafeBufferPointer { storage in
            let key = UnsafeBufferPointer(rebasing: storage[start...])
            let exact = scope.field(key)
            return (exact, exact == nil ? scope.similarField(key) : nil)
        }
        if let exact {
            guard (envelope.seen | similarlySeen) & exact.bit == 0 else { throw .duplicateKey(offset: position) }
            envelope.seen |= exact.bit
            field = exact
        } else if let similar {
            guard (envelope.seen | similarlySeen) & similar.bit == 0, scope != .message else {
                throw .duplicateKey(offset: position)
            }
            similarlySeen |= similar.bit
        }
    }

    private mutating func endValue(at position: Int, isMessage: Bool) {
        state = depth == 0 ? .end : .afterValue
        guard depth == 1, envelope.kind == .array else { return }
        endElement(at: position, isMessage: isMessage)
    }

    /// Takes one message of a batch into the sum of all, and forgets the rest of it.
    private mutating func endElement(at position: Int, isMessage: Bool) {
        guard var batch = envelope.batch else { return }
        envelope.batch = nil
        envelope.kind = .object
        let shape = isMessage ? envelope.shape : .invalid(.notAnObject)
        batch.elements.append(elementStart..<position)
        switch shape {
        case .request: batch.requestCount += 1
        case .notification, .response: break
        case .batch, .invalid: batch.containsInvalid = true
        }
        if envelope.method.equals("initialize") { batch.containsInitialize = true }
        if envelope.metaVersion != .absent { batch.containsModernMetadata = true }
        var storage = envelope.storage
        envelope = Envelope()
        storage.removeAll(keepingCapacity: true)
        envelope.storage = storage
        envelope.kind = .array
        envelope.batch = batch
    }
}
