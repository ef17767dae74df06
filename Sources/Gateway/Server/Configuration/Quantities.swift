// SPDX-License-Identifier: MIT

/// Durations and sizes as people write them.
enum Quantities {
    /// `250ms`, `30s`, `5m`, `2h`: a whole number and a unit; `nil` for anything else or outside of `range`.
    static func duration(_ text: String, in range: ClosedRange<Duration>) -> Duration? {
        let units: [(String, Int64)] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)]
        guard let milliseconds = quantity(text, units: units) else { return nil }
        let duration = Duration.milliseconds(milliseconds)
        return range.contains(duration) ? duration : nil
    }

    /// `4096`, `64KiB`, `10MiB`, `2GiB`: bytes; `nil` for anything else or outside of `range`.
    static func bytes(_ text: String, in range: ClosedRange<Int>) -> Int? {
        let units: [(String, Int64)] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("", 1)]
        guard let bytes = quantity(text, units: units).map(Int.init) else { return nil }
        return range.contains(bytes) ? bytes : nil
    }

    /// A whole number in `range`.
    static func integer(_ text: String, in range: ClosedRange<Int>) -> Int? {
        guard isDigits(text), let number = Int(text), range.contains(number) else { return nil }
        return number
    }

    /// `true` or `false`.
    static func flag(_ text: String) -> Bool? {
        switch text {
        case "true": true
        case "false": false
        default: nil
        }
    }

    /// Whether it is an address of 127.0.0.0/8 in its usual form (RFC 1122 §3.2.1.3); a name such as `127.example.com`
    /// is none.
    static func isLoopbackIPv4(_ text: String) -> Bool {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { integer(String($0), in: 0...255) != nil }
    }

    /// The words between commas, without the white space around them; `nil` if one is empty or `isValid` refuses it.
    static func list(_ text: String, where isValid: (String) -> Bool) -> [String]? {
        let items = text.split(separator: ",", omittingEmptySubsequences: false).map { item in
            String(item.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
        }
        return items.allSatisfy { !$0.isEmpty && isValid($0) } ? items : nil
    }

    private static func quantity(_ text: String, units: [(String, Int64)]) -> Int64? {
        for (suffix, factor) in units where text.hasSuffix(suffix) {
            let digits = String(text.dropLast(suffix.count))
            guard isDigits(digits), let number = Int64(digits) else { continue }
            let (product, overflow) = number.multipliedReportingOverflow(by: factor)
            return overflow ? nil : product
        }
        return nil
    }

    private static func isDigits(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    }
}
