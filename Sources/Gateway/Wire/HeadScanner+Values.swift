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

        mutating func add(transferEncoding base: UnsafePointer<UInt8>, _ value: Range<Int>) throws(HeadError) {
            guard case .none = self else { throw .badLength }
            guard HeadScanner.equals(base, value, "chunked") else { throw .badTransferCoding }
            self = .chunked
        }
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

    /// The part of a target that names the resource: of an absolute URI (RFC 9112 §3.2.2) what follows the host.
    ///
    /// An absolute URI without a path is refused rather than rewritten; no client of ours sends one to an origin server.
    static func originForm(
        _ base: UnsafePointer<UInt8>, _ target: Range<Int>, _ method: RequestHead.Method
    ) throws(HeadError) -> Range<Int> {
        if base[target.lowerBound] == UInt8(ascii: "/") { return target }
        if target.count == 1, base[target.lowerBound] == UInt8(ascii: "*"), method == .options { return target }
        for scheme: StaticString in ["http://", "https://"] {
            let count = scheme.utf8CodeUnitCount
            guard target.count > count,
                equals(base, target.lowerBound..<(target.lowerBound + count), scheme)
            else { continue }
            let rest = (target.lowerBound + count)..<target.upperBound
            if let slash = rest.first(where: { base[$0] == UInt8(ascii: "/") }), slash > rest.lowerBound {
                return slash..<target.upperBound
            }
        }
        throw .badTarget
    }

    /// An empty host is allowed by RFC 9112 §3.2 but says nothing; it is refused.
    static func isAuthority(_ base: UnsafePointer<UInt8>, _ value: Range<Int>) -> Bool {
        !value.isEmpty && value.allSatisfy { CharacterClass.authority.contains(base[$0]) }
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
