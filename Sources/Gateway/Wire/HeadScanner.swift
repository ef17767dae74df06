// SPDX-License-Identifier: MIT

internal import Glibc

/// Reads the heads of messages where they stand, without copying (RFC 9112 §2 to §7, strict: what two readers might
/// understand differently is refused).
///
/// A scanner is kept and used again: after a head was found, ``lines`` says where its fields are, until the next scan.
/// One scanner serves all connections of a loop.
public struct HeadScanner: Sendable {
    /// The field lines of the last head, in order.
    public private(set) var lines: [FieldLine] = []

    /// A scanner.
    public init() {
        lines.reserveCapacity(64)
    }

    /// Where the head ends that begins at the first byte: the offset after its blank line, or `nil` when the end is not
    /// there yet.
    ///
    /// - Parameter searched: how many bytes an earlier call has looked at in vain.
    /// - Throws: `badLine` for an LF without CR; `tooLarge` when there is no end within `limits`.
    public static func end(
        of bytes: UnsafeRawBufferPointer, searched: Int = 0, limits: HeadLimits
    ) throws(HeadError) -> Int? {
        guard let base = bytes.baseAddress else { return nil }
        var at = max(0, searched - 3)
        while at < bytes.count, let found = memchr(base + at, 10, bytes.count - at) {
            let lineFeed = UnsafeRawPointer(found) - base
            // First of all, so that what is wrong behind the limit is the same wrong however the bytes come.
            guard lineFeed < limits.bytes else { throw .tooLarge }
            guard lineFeed > 0, bytes[lineFeed - 1] == 13 else { throw .badLine }
            if lineFeed == 1 || (lineFeed >= 3 && bytes[lineFeed - 2] == 10) { return lineFeed + 1 }
            at = lineFeed + 1
        }
        guard bytes.count < limits.bytes else { throw .tooLarge }
        return nil
    }

    /// The head of a request that begins at the first byte of `bytes`, or `nil` when its end is not there yet.
    ///
    /// What can't begin a request, as TLS can't, is refused at once: its sender would wait for ever.
    ///
    /// - Parameter searched: how many bytes an earlier call has looked at in vain.
    public mutating func request(
        _ bytes: UnsafeRawBufferPointer, searched: Int = 0, limits: HeadLimits
    ) throws(HeadError) -> RequestHead? {
        if let first = bytes.first, !CharacterClass.token.contains(first) { throw .badStartLine }
        guard let end = try Self.end(of: bytes, searched: searched, limits: limits) else { return nil }
        guard let base = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return nil }
        var head = RequestHead()
        head.length = end
        let fields = try requestLine(base, end, &head)
        try fieldLines(base, fields, end, limits)

        var length = Length.none
        var persistence = Persistence()
        var hosts = 0
        for line in lines {
            switch line.name {
            case .contentLength: try length.add(contentLength: base, line.value)
            case .transferEncoding: try length.add(transferEncoding: base, line.value)
            case .host:
                hosts += 1
                guard Self.isAuthority(base, line.value) else { throw .badHost }
                // RFC 9112 §3.2: a client sends the same in both. We look at one of them, another reader might at both.
                guard head.targetAuthority.isEmpty || Self.equals(base, head.targetAuthority, line.value) else {
                    throw .badHost
                }
            case .connection: persistence.add(connection: base, line.value)
            case .expect:
                // RFC 9110 §10.1.1: 100-continue is the only expectation there is; others may be ignored.
                if Self.equals(base, line.value, "100-continue") { head.expectsContinue = head.isHTTP11 }
            default: break
            }
        }
        guard hosts == 1 || (hosts == 0 && !head.isHTTP11) else { throw .badHost }
        head.keepsAlive = persistence.keepsAlive(isHTTP11: head.isHTTP11)
        head.namesHopByHopFields = persistence.namesFields
        switch length {
        case .none: head.framing = .none
        case .fixed(let count): head.framing = .length(count)
        case .chunked:
            // RFC 9112 §6.1: an HTTP/1.0 message with Transfer-Encoding has faulty framing.
            guard head.isHTTP11 else { throw .badTransferCoding }
            head.framing = .chunked
        }
        return head
    }

    /// The head of a response that begins at the first byte of `bytes`, or `nil` when its end is not there yet.
    ///
    /// - Parameter answersHead: whether the request was a HEAD, so that no body follows whatever the fields say.
    public mutating func response(
        _ bytes: UnsafeRawBufferPointer, searched: Int = 0, answersHead: Bool = false, limits: HeadLimits
    ) throws(HeadError) -> ResponseHead? {
        if let first = bytes.first, first != UInt8(ascii: "H") { throw .badStartLine }
        guard let end = try Self.end(of: bytes, searched: searched, limits: limits) else { return nil }
        guard let base = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return nil }
        var head = ResponseHead()
        head.length = end
        let isHTTP11 = try statusLine(base, end, &head)
        try fieldLines(base, head.fieldsStart, end, limits)

        var length = Length.none
        var persistence = Persistence()
        for line in lines {
            switch line.name {
            case .contentLength: try length.add(contentLength: base, line.value)
            case .transferEncoding: try length.add(transferEncoding: base, line.value)
            case .connection: persistence.add(connection: base, line.value)
            default: break
            }
        }
        head.keepsAlive = persistence.keepsAlive(isHTTP11: isHTTP11)
        head.namesHopByHopFields = persistence.namesFields
        // RFC 9112 §6.1: an HTTP/1.0 message with Transfer-Encoding has faulty framing.
        if case .chunked = length, !isHTTP11 { throw .badTransferCoding }
        if answersHead || head.status < 200 || head.status == 204 || head.status == 304 {
            head.framing = .none
            return head
        }
        switch length {
        case .none:
            head.framing = .untilClose
            head.keepsAlive = false
        case .fixed(let count): head.framing = .length(count)
        case .chunked: head.framing = .chunked
        }
        return head
    }

    // MARK: - Lines

    private func requestLine(
        _ base: UnsafePointer<UInt8>, _ end: Int, _ head: inout RequestHead
    ) throws(HeadError) -> Int {
        var at = 0
        while CharacterClass.token.contains(base[at]) { at += 1 }
        guard at > 0, base[at] == UInt8(ascii: " ") else { throw .badStartLine }
        head.methodRange = 0..<at
        head.method = Self.method(base, at)
        let start = at + 1
        at = start
        while CharacterClass.target.contains(base[at]) { at += 1 }
        guard at > start, base[at] == UInt8(ascii: " ") else {
            throw base[at] == UInt8(ascii: "\r") ? .badStartLine : .badTarget
        }
        (head.target, head.targetAuthority) = try Self.originForm(base, start..<at, head.method)
        at += 1
        head.isHTTP11 = try Self.version(base, at)
        at += 8
        guard base[at] == UInt8(ascii: "\r"), base[at + 1] == UInt8(ascii: "\n") else { throw .badStartLine }
        return at + 2
    }

    private func statusLine(
        _ base: UnsafePointer<UInt8>, _ end: Int, _ head: inout ResponseHead
    ) throws(HeadError) -> Bool {
        guard end > 14 else { throw .badStartLine }
        let isHTTP11 = try Self.version(base, 0)
        var status = 0
        for at in 9..<12 {
            let digit = Int(base[at]) - Int(UInt8(ascii: "0"))
            guard (0...9).contains(digit) else { throw .badStartLine }
            status = status * 10 + digit
        }
        guard base[8] == UInt8(ascii: " "), status >= 100 else { throw .badStartLine }
        // The reason phrase may be missing, and so may the space before it, as some servers send it.
        var at = 12
        guard base[at] == UInt8(ascii: " ") || base[at] == UInt8(ascii: "\r") else { throw .badStartLine }
        while base[at] != UInt8(ascii: "\r") {
            guard base[at] >= 0x20 || base[at] == UInt8(ascii: "\t"), base[at] != 0x7F else { throw .badStartLine }
            at += 1
        }
        guard base[at + 1] == UInt8(ascii: "\n") else { throw .badLine }
        head.status = status
        head.fieldsStart = at + 2
        return isHTTP11
    }

    private mutating func fieldLines(
        _ base: UnsafePointer<UInt8>, _ start: Int, _ end: Int, _ limits: HeadLimits
    ) throws(HeadError) {
        lines.removeAll(keepingCapacity: true)
        var at = start
        // The head ends with CR LF CR LF, so every walk below stops at a CR at the latest.
        while at < end - 2 {
            let lineStart = at
            while CharacterClass.token.contains(base[at]) { at += 1 }
            let nameLength = at - lineStart
            guard nameLength > 0, base[at] == UInt8(ascii: ":") else { throw .badField }
            at += 1
            while base[at] == UInt8(ascii: " ") || base[at] == UInt8(ascii: "\t") { at += 1 }
            let valueStart = at
            at = Self.endOfText(base, at, end)
            guard base[at] == UInt8(ascii: "\r"), base[at + 1] == UInt8(ascii: "\n") else { throw .badLine }
            var valueEnd = at
            while valueEnd > valueStart, base[valueEnd - 1] == 0x20 || base[valueEnd - 1] == 0x09 { valueEnd -= 1 }
            at += 2
            guard lines.count < limits.fields else { throw .tooLarge }
            lines.append(
                FieldLine(
                    name: FieldName.of(base + lineStart, count: nameLength), start: lineStart, nameLength: nameLength,
                    valueStart: valueStart, valueEnd: valueEnd, end: at))
        }
        guard at == end - 2 else { throw .badLine }
    }

    /// The first byte from `at` on that no field value may have: the CR at its end, if all is well.
    ///
    /// Eight bytes at a time, since values are where most of a head's bytes are: a byte below 0x20 borrows from its high
    /// bit, and so does 0x7F after its bits were flipped. A tab is found as well, and passed over.
    @inline(__always)
    private static func endOfText(_ base: UnsafePointer<UInt8>, _ start: Int, _ end: Int) -> Int {
        var at = start
        while at + 8 <= end {
            let word = UInt64(littleEndian: UnsafeRawPointer(base + at).loadUnaligned(as: UInt64.self))
            let control = (word &- 0x2020_2020_2020_2020) & ~word
            let flipped = word ^ 0x7F7F_7F7F_7F7F_7F7F
            let delete = (flipped &- 0x0101_0101_0101_0101) & ~flipped
            let found = (control | delete) & 0x8080_8080_8080_8080
            if found == 0 {
                at += 8
                continue
            }
            // A borrow reaches only the bytes behind the first that was found.
            at += found.trailingZeroBitCount / 8
            if base[at] != UInt8(ascii: "\t") { return at }
            at += 1
        }
        while base[at] >= 0x20 ? base[at] != 0x7F : base[at] == UInt8(ascii: "\t") { at += 1 }
        return at
    }

    /// Calls `body` with each field name that a `Connection` line of the last head lists.
    public func hopByHopNames(in bytes: UnsafeRawBufferPointer, _ body: (Range<Int>) -> Void) {
        guard let base = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return }
        for line in lines where line.name == .connection {
            for option in ListElements(base, line.value) { body(option) }
        }
    }
}
