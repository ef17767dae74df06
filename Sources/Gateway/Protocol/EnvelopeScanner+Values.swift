// SPDX-License-Identifier: MIT

extension EnvelopeScanner {
    /// Reads a byte of a number, and returns `false` where the number ended before it.
    mutating func readNumber(_ byte: UInt8, at position: Int) throws(EnvelopeError) -> Bool {
        switch (state, byte) {
        case (.minus, UInt8(ascii: "0")): state = .zero
        case (.minus, UInt8(ascii: "1")...UInt8(ascii: "9")): state = .integer
        case (.integer, _) where byte.isDigit: break
        case (.zero, UInt8(ascii: ".")), (.integer, UInt8(ascii: ".")): state = .point
        case (.point, _) where byte.isDigit: state = .fraction
        case (.fraction, _) where byte.isDigit: break
        case (.zero, UInt8(ascii: "e")), (.integer, UInt8(ascii: "e")), (.fraction, UInt8(ascii: "e")),
            (.zero, UInt8(ascii: "E")), (.integer, UInt8(ascii: "E")), (.fraction, UInt8(ascii: "E")):
            state = .exponent
        case (.exponent, UInt8(ascii: "+")), (.exponent, UInt8(ascii: "-")): state = .exponentSign
        case (.exponent, _) where byte.isDigit: state = .exponentDigits
        case (.exponentSign, _) where byte.isDigit: state = .exponentDigits
        case (.exponentDigits, _) where byte.isDigit: break
        case (.zero, _), (.integer, _), (.fraction, _), (.exponentDigits, _):
            try endScalar(at: position)
            return false
        default: throw .malformed(offset: position)
        }
        emit(byte)
        return true
    }

    /// Writes down what the value of `field` is; `location` is where it is, if it is a scalar.
    mutating func note(_ field: EnvelopeField, _ kind: JSONKind, _ location: Envelope.Location? = nil) {
        switch field {
        case .jsonrpc: envelope.versionSlot = slot(kind)
        case .id:
            envelope.idKind = kind
            envelope.idLocation = location
            if capture == .raw { envelope.idSlot = slot(.string) }
        case .method: envelope.methodSlot = slot(kind)
        case .params: envelope.paramsKind = kind
        case .result, .meta, .resultMeta: break
        case .error: envelope.errorKind = kind
        case .name: envelope.nameSlot = slot(kind)
        case .uri: envelope.uriSlot = slot(kind)
        case .taskID: envelope.taskIDSlot = slot(kind)
        case .requestID: envelope.requestID = location
        case .progressToken: envelope.progressToken = location
        case .requestedVersion: envelope.requestedVersionSlot = slot(kind)
        case .metaProtocolVersion: envelope.metaVersionSlot = slot(kind)
        case .metaClientCapabilities: envelope.clientCapabilitiesKind = kind
        case .metaProgressToken: envelope.metaProgressToken = location
        case .metaSubscriptionID: envelope.subscriptionID = location
        case .resultVersion: envelope.resultVersionSlot = slot(kind)
        case .resultSubscriptionID: envelope.resultSubscriptionID = location
        }
    }

    /// The place of the text that was just kept.
    private func slot(_ kind: JSONKind) -> Envelope.Slot {
        guard kind == .string else { return Envelope.Slot(state: .wrongKind(kind)) }
        if captureOverflows { return Envelope.Slot(state: .overlong) }
        return Envelope.Slot(
            start: Int32(truncatingIfNeeded: captureStart),
            state: .text(Int32(truncatingIfNeeded: envelope.storage.count - captureStart)))
    }
}
