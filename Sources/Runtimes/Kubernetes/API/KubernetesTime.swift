// SPDX-License-Identifier: MIT

internal import RuntimeContract

/// Moments as Kubernetes writes them: RFC 3339 in UTC or with an offset, with or without a fraction.
enum KubernetesTime {
    /// The moment that `text` stands for, or `nil`.
    static func parse(_ text: some StringProtocol) -> Timestamp? {
        let bytes = Array(text.utf8)
        guard bytes.count >= 20, bytes[4] == 45, bytes[7] == 45, bytes[10] | 0x20 == 116, bytes[13] == 58,
            bytes[16] == 58, let year = number(bytes[0..<4]), let month = number(bytes[5..<7]),
            let day = number(bytes[8..<10]), let hour = number(bytes[11..<13]), let minute = number(bytes[14..<16]),
            let second = number(bytes[17..<19]), (1...12).contains(month), (1...31).contains(day)
        else { return nil }
        var position = 19
        var milliseconds: Int64 = 0
        if bytes[position] == UInt8(ascii: ".") {
            let digits = bytes[(position + 1)...].prefix { (48...57).contains($0) }
            guard !digits.isEmpty else { return nil }
            milliseconds = number((digits + [48, 48]).prefix(3)) ?? 0
            position = digits.endIndex
        }
        let zone = bytes[position...]
        var offset: Int64 = 0
        if zone.count == 6, let hours = number(zone.dropFirst().prefix(2)), let minutes = number(zone.suffix(2)) {
            offset = (hours * 60 + minutes) * (zone.first == UInt8(ascii: "-") ? -60 : 60)
        } else if zone.count != 1 || bytes[position] | 0x20 != UInt8(ascii: "z") {
            return nil
        }
        let seconds = days(year, month, day) * 86_400 + (hour * 60 + minute) * 60 + second - offset
        return Timestamp(millisecondsSinceEpoch: seconds * 1000 + milliseconds)
    }

    /// The moment as a `MicroTime`, which has to have six digits of a fraction.
    static func text(_ moment: Timestamp) -> String { "\(moment.iso8601.dropLast())000Z" }

    private static func number(_ digits: some Sequence<UInt8>) -> Int64? {
        var value: Int64 = 0
        for digit in digits {
            guard (48...57).contains(digit) else { return nil }
            value = value * 10 + Int64(digit - 48)
        }
        return value
    }

    /// Days since 1970-01-01, after Howard Hinnant's "chrono-compatible low-level date algorithms"; years 0 and later.
    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = shifted / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }
}
