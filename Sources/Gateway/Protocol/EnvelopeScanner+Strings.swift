// SPDX-License-Identifier: MIT

extension EnvelopeScanner {
    /// Reads on in a string from `start`, and returns where it stopped: behind the quotation mark, behind the
    /// backslash of an escape, or at the end of `chunk`.
    mutating func readString(_ chunk: UnsafeRawBufferPointer, from start: Int) throws(EnvelopeError) -> Int {
        let count = chunk.count
        var index = start
        while index < count {
            if continuationCount == 0 {
                index = Self.plainTextEnd(chunk, from: index)
                if index == count { break }
            }
            let byte = chunk[index]
            if continuationCount > 0 {
                guard byte >= continuationLow, byte <= continuationHigh else {
                    throw .malformed(offset: offset + index)
                }
                continuationCount -= 1
                continuationLow = 0x80
                continuationHigh = 0xBF
                index += 1
            } else if byte >= 0x80 {
                guard beginCharacter(byte) else { throw .malformed(offset: offset + index) }
                index += 1
            } else if byte == UInt8(ascii: "\"") {
                emit(chunk, start..<index)
                endSurrogate()
                if capture == .raw { emit(byte) }
                try endScalar(at: offset + index + 1)
                return index + 1
            } else if byte == UInt8(ascii: "\\") {
                emit(chunk, start..<index)
                if capture == .raw { emit(byte) }
                state = .escape
                return index + 1
            } else if byte < 0x20 {
                throw .malformed(offset: offset + index)
            } else {
                index += 1
            }
        }
        emit(chunk, start..<index)
        return index
    }

    /// Reads the byte behind a backslash.
    mutating func readEscape(_ byte: UInt8, at position: Int) throws(EnvelopeError) {
        let character: UInt8
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): character = byte
        case UInt8(ascii: "b"): character = 0x08
        case UInt8(ascii: "f"): character = 0x0C
        case UInt8(ascii: "n"): character = 0x0A
        case UInt8(ascii: "r"): character = 0x0D
        case UInt8(ascii: "t"): character = 0x09
        case UInt8(ascii: "u"):
            hexDigits = 0
            hexValue = 0
            if capture == .raw { emit(byte) }
            state = .unicode
            return
        default: throw .malformed(offset: position)
        }
        endSurrogate()
        emit(capture == .raw ? byte : character)
        state = .string
    }

    /// Reads one of the four digits behind `\u`.
    mutating func readHexDigit(_ byte: UInt8, at position: Int) throws(EnvelopeError) {
        let digit: UInt8
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - 0x30
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - 0x57
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - 0x37
        default: throw .malformed(offset: position)
        }
        hexValue = hexValue << 4 | UInt32(digit)
        hexDigits += 1
        if capture == .raw { emit(byte) }
        guard hexDigits == 4 else { return }
        state = .string
        guard capture == .key || capture == .text else { return }
        let unit = hexValue
        if highSurrogate != 0, 0xDC00...0xDFFF ~= unit {
            let scalar = 0x10000 + (highSurrogate - 0xD800) << 10 + (unit - 0xDC00)
            highSurrogate = 0
            emitCharacter(scalar)
            return
        }
        endSurrogate()
        if 0xD800...0xDBFF ~= unit { highSurrogate = unit } else { emitCharacter(unit) }
    }

    /// Starts to keep the bytes of a string or a number, up to `limit` of them.
    mutating func beginCapture(_ kind: Capture, limit: Int) {
        capture = kind
        captureStart = envelope.storage.count
        captureLimit = limit
        captureOverflows = false
    }

    /// Keeps one byte, if bytes are kept.
    @inline(__always)
    mutating func emit(_ byte: UInt8) {
        guard capture != .nothing, !captureOverflows else { return }
        if envelope.storage.count - captureStart >= captureLimit {
            overflowCapture()
        } else {
            envelope.storage.append(byte)
        }
    }

    @inline(__always)
    private mutating func emit(_ chunk: UnsafeRawBufferPointer, _ range: Range<Int>) {
        guard capture != .nothing, !range.isEmpty else { return }
        endSurrogate()
        guard !captureOverflows else { return }
        if envelope.storage.count - captureStart + range.count > captureLimit {
            overflowCapture()
        } else {
            envelope.storage.append(contentsOf: UnsafeRawBufferPointer(rebasing: chunk[range]))
        }
    }

    /// Forgets what was kept of a text that is too long.
    private mutating func overflowCapture() {
        captureOverflows = true
        envelope.storage.removeSubrange(captureStart...)
    }

    /// Keeps the UTF-8 form of `scalar`; a lone surrogate becomes the three bytes that its number would have.
    private mutating func emitCharacter(_ scalar: UInt32) {
        switch scalar {
        case 0..<0x80:
            emit(UInt8(scalar))
        case 0x80..<0x800:
            emit(UInt8(0xC0 | scalar >> 6))
            emit(UInt8(0x80 | scalar & 0x3F))
        case 0x800..<0x10000:
            emit(UInt8(0xE0 | scalar >> 12))
            emit(UInt8(0x80 | scalar >> 6 & 0x3F))
            emit(UInt8(0x80 | scalar & 0x3F))
        default:
            emit(UInt8(0xF0 | scalar >> 18))
            emit(UInt8(0x80 | scalar >> 12 & 0x3F))
            emit(UInt8(0x80 | scalar >> 6 & 0x3F))
            emit(UInt8(0x80 | scalar & 0x3F))
        }
    }

    /// Keeps a first half of a pair that is not followed by a second one.
    @inline(__always)
    private mutating func endSurrogate() {
        guard highSurrogate != 0 else { return }
        let lone = highSurrogate
        highSurrogate = 0
        emitCharacter(lone)
    }

    /// Takes the first byte of a character outside ASCII, and says whether there is such a character.
    private mutating func beginCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case 0xC2...0xDF: continuationCount = 1
        case 0xE0: (continuationCount, continuationLow) = (2, 0xA0)
        case 0xED: (continuationCount, continuationHigh) = (2, 0x9F)
        case 0xE1...0xEF: continuationCount = 2
        case 0xF0: (continuationCount, continuationLow) = (3, 0x90)
        case 0xF4: (continuationCount, continuationHigh) = (3, 0x8F)
        case 0xF1...0xF3: continuationCount = 3
        default: return false
        }
        return true
    }

    /// Where the first byte is, from `start` on, that is not plain text: `"`, `\`, a control character, or not ASCII.
    ///
    /// Eight bytes at a time. The classic test for a zero byte, `(x - 0x01…) & ~x & 0x80…`, may also mark bytes above
    /// the first zero byte, never below it, so the lowest mark is right.
    @inline(__always)
    private static func plainTextEnd(_ chunk: UnsafeRawBufferPointer, from start: Int) -> Int {
        let count = chunk.count
        var index = start
        let ones: UInt64 = 0x0101_0101_0101_0101
        let tops: UInt64 = 0x8080_8080_8080_8080
        while count - index >= 8 {
            let word = UInt64(littleEndian: chunk.loadUnaligned(fromByteOffset: index, as: UInt64.self))
            let quote = word ^ (ones &* 0x22)
            let backslash = word ^ (ones &* 0x5C)
            let marks =
                ((quote &- ones) & ~quote | (backslash &- ones) & ~backslash | (word &- ones &* 0x20) & ~word | word)
                & tops
            if marks != 0 { return index + marks.trailingZeroBitCount / 8 }
            index += 8
        }
        while index < count {
            let byte = chunk[index]
            if byte == 0x22 || byte == 0x5C || byte < 0x20 || byte >= 0x80 { return index }
            index += 1
        }
        return index
    }
}
