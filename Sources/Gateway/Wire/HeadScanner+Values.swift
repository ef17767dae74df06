// SPDX-License-Identifier: MIT

extension HeadScanner {
    /// What the fields say of the body's length (RFC 9112 §6.3).
    enum Length {
        case none
        case fixed(UInt64)
        case chunked

        /// `Content-Length`: digits only; a list or a repetition of one and the same number is refused too, since no
        /// honest sender needs it.
        mutating func add(contentLength base: UnsafePointer<UInt8>, _ value: Range<Int>) throws(HeadError) {
            guard case .none = self, !value.isEmpty, value.count <= 18 else { throw .badLength }
            var number: UInt64 = 0
            for at in value {
                let digit = base[at] &- UInt8(ascii: "0")
                guard digit < 10 else { throw .badLength }
                number = number * 10 + UInt64(digit)
            }
            self = .fixed(number)
        }

        /// `Transfer-Encoding`: a single `chunked`.
        mutating func add(transferEncoding base: UnsafePointer<UInt8>, _ value: Range<Int>) throws(HeadError) {
            guard case .none = self else { throw .badLength }
            guard HeadScanner.equals(base, value, "chunked") else { throw .badTransferCoding }
            self = .chunked
        }
    }

    /// What the connection options say (RFC 9110 §7.6.1): `close` wins, wherever it stands (RFC 9112 §9.3).
    struct Persistence {
        private var closes = false
        private var keeps = false
        /// Whether fields are named that must not be passed on.
        private(set) var namesFields = false

        /// Reads the list of a `Connection` line.
        mutating func add(connection base: UnsafePointer<UInt8>, _ value: Range<Int>) {
            // By far the most frequent value.
            if HeadScanner.equals(base, value, "keep-alive") {
                keeps = true
                return
            }
            for option in ListElements(base, value) {
                if HeadScanner.equals(base, option, "close") {
                    closes = true
                } else if HeadScanner.equals(base, option, "keep-alive") {
                    keeps = true
                } else {
                    namesFields = true
                }
            }
        }

        /// Whether the connection goes on after the message.
        func keepsAlive(isHTTP11: Bool) -> Bool { !closes && (isHTTP11 || keeps) }
    }

    /// Compares two texts of a head without regard to case.
    static func equals(_ base: UnsafePointer<UInt8>, _ left: Range<Int>, _ right: Range<Int>) -> Bool {
        func lowercased(_ byte: UInt8) -> UInt8 {
            (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
        }
        return left.count == right.count
            && zip(left, right).allSatisfy { lowercased(base[$0]) == lowercased(base[$1]) }
    }

    /// Compares, without regard to case, with a lower-case text.
    @inline(__always)
    static func equals(_ base: UnsafePointer<UInt8>, _ range: Range<Int>, _ text: StaticString) -> Bool {
        guard range.count == text.utf8CodeUnitCount else { return false }
        for offset in 0..<range.count {
            var byte = base[range.lowerBound + offset]
            if (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) { byte |= 0x20 }
            if byte != text.utf8Start[offset] { return false }
        }
        return true
    }

    /// The method whose name is the first `count` bytes.
    static func method(_ base: UnsafePointer<UInt8>, _ count: Int) -> RequestHead.Method {
        // Methods are case-sensitive (RFC 9110 §9.1).
        func isExactly(_ text: StaticString) -> Bool {
            count == text.utf8CodeUnitCount && (0..<count).allSatisfy { base[$0] == text.utf8Start[$0] }
        }
        switch base[0] {
        case UInt8(ascii: "P"): return isExactly("POST") ? .post : .other
        case UInt8(ascii: "G"): return isExactly("GET") ? .get : .other
        case UInt8(ascii: "D"): return isExactly("DELETE") ? .delete : .other
        case UInt8(ascii: "O"): return isExactly("OPTIONS") ? .options : .other
        case UInt8(ascii: "H"): return isExactly("HEAD") ? .head : .other
        default: return .other
        }
    }

    /// Whether the version at `at` is HTTP/1.1 rather than HTTP/1.0.
    static func version(_ base: UnsafePointer<UInt8>, _ at: Int) throws(HeadError) -> Bool {
        let prefix: StaticString = "HTTP/"
        for offset in 0..<5 where base[at + offset] != prefix.utf8Start[offset] { throw .badStartLine }
        let (major, dot, minor) = (base[at + 5], base[at + 6], base[at + 7])
        guard (0x30...0x39).contains(major), dot == UInt8(ascii: "."), (0x30...0x39).contains(minor) else {
            throw .badStartLine
        }
        guard major == UInt8(ascii: "1"), minor == UInt8(ascii: "1") || minor == UInt8(ascii: "0") else {
            throw .badVersion
        }
        return minor == UInt8(ascii: "1")
    }

    /// The part of a target that names the resource: of an absolute URI (RFC 9112 §3.2.2) what follows the host; and
    /// where that host and its port are.
    ///
    /// An absolute URI without a path is refused rather than rewritten; no client of ours sends one to an origin server.
    static func originForm(
        _ base: UnsafePointer<UInt8>, _ target: Range<Int>, _ method: RequestHead.Method
    ) throws(HeadError) -> (path: Range<Int>, authority: Range<Int>) {
        if base[target.lowerBound] == UInt8(ascii: "/") { return (target, 0..<0) }
        if target.count == 1, base[target.lowerBound] == UInt8(ascii: "*"), method == .options {
            return (target, 0..<0)
        }
        for scheme: StaticString in ["http://", "https://"] {
            let count = scheme.utf8CodeUnitCount
            guard target.count > count,
                equals(base, target.lowerBound..<(target.lowerBound + count), scheme)
            else { continue }
            let rest = (target.lowerBound + count)..<target.upperBound
            if let slash = rest.first(where: { base[$0] == UInt8(ascii: "/") }),
                isAuthority(base, rest.lowerBound..<slash)
            {
                return (slash..<target.upperBound, rest.lowerBound..<slash)
            }
        }
        throw .badTarget
    }

    /// Whether `value` is a host, and a port where there is a colon (RFC 9110 §7.2, RFC 3986 §3.2.2).
    ///
    /// An empty host is allowed by RFC 9112 §3.2 but says nothing; it is refused.
    static func isAuthority(_ base: UnsafePointer<UInt8>, _ value: Range<Int>) -> Bool {
        var at = value.lowerBound
        let end = value.upperBound
        let isLiteral = at < end && base[at] == UInt8(ascii: "[")
        if isLiteral { at += 1 }
        let start = at
        while at < end, CharacterClass.host.contains(base[at]) || (isLiteral && base[at] == UInt8(ascii: ":")) {
            at += 1
        }
        guard at > start else { return false }
        if isLiteral {
            guard at < end, base[at] == UInt8(ascii: "]") else { return false }
            at += 1
        }
        guard at < end else { return true }
        guard base[at] == UInt8(ascii: ":") else { return false }
        return ((at + 1)..<end).allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(base[$0]) }
    }
}

/// The elements of a comma-separated value, without white space and empty ones (RFC 9110 §5.6.1).
struct ListElements: Sequence, IteratorProtocol {
    private let base: UnsafePointer<UInt8>
    private var rest: Range<Int>

    init(_ base: UnsafePointer<UInt8>, _ value: Range<Int>) {
        self.base = base
        rest = value
    }

    mutating func next() -> Range<Int>? {
        while !rest.isEmpty {
            var start = rest.lowerBound
            var end = start
            while end < rest.upperBound, base[end] != UInt8(ascii: ",") { end += 1 }
            rest = Swift.min(end + 1, rest.upperBound)..<rest.upperBound
            while start < end, base[start] == 0x20 || base[start] == 0x09 { start += 1 }
            while end > start, base[end - 1] == 0x20 || base[end - 1] == 0x09 { end -= 1 }
            if start < end { return start..<end }
        }
        return nil
    }
}
