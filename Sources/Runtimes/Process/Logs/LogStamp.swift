// SPDX-License-Identifier: MIT

import RuntimeContract

/// The time in front of each line of a log file: `2026-11-23T01:44:51.123Z `, RFC 3339 in UTC, always 25 bytes.
enum LogStamp {
    static let length = 25

    /// The bytes that stand for a moment of the years 0000...9999.
    static func format(_ timestamp: Timestamp) -> [UInt8] {
        let (days, milliseconds) = timestamp.millisecondsSinceEpoch.floored(by: 86_400_000)
        let (year, month, day) = date(daysSinceEpoch: days)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(length)
        func append(_ number: Int64, _ width: Int, _ separator: Character) {
            var divisor: Int64 = 1
            for _ in 1..<width { divisor *= 10 }
            while divisor > 0 {
                bytes.append(UInt8(ascii: "0") + UInt8((number / divisor) % 10))
                divisor /= 10
            }
            bytes.append(separator.asciiValue ?? 0)
        }
        append(min(max(year, 0), 9999), 4, "-")
        append(month, 2, "-")
        append(day, 2, "T")
        append(milliseconds / 3_600_000, 2, ":")
        append(milliseconds / 60_000 % 60, 2, ":")
        append(milliseconds / 1000 % 60, 2, ".")
        append(milliseconds % 1000, 3, "Z")
        bytes.append(UInt8(ascii: " "))
        return bytes
    }

    /// The moment that the first 25 bytes of a line stand for, or `nil` if they are no stamp.
    static func parse(_ line: ArraySlice<UInt8>) -> Timestamp? {
        guard line.count >= length else { return nil }
        let base = line.startIndex
        let separators: [(Int, Character)] = [
            (4, "-"), (7, "-"), (10, "T"), (13, ":"), (16, ":"), (19, "."), (23, "Z"), (24, " "),
        ]
        for (offset, character) in separators where line[base + offset] != character.asciiValue { return nil }
        func number(_ range: Range<Int>) -> Int64? {
            var value: Int64 = 0
            for offset in range {
                let digit = line[base + offset]
                guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
                value = value * 10 + Int64(digit - UInt8(ascii: "0"))
            }
            return value
        }
        guard let year = number(0..<4), let month = number(5..<7), let day = number(8..<10), let hour = number(11..<13),
            let minute = number(14..<16), let second = number(17..<19), let millisecond = number(20..<23)
        else { return nil }
        let seconds = (hour * 60 + minute) * 60 + second
        let days = daysSinceEpoch(year: year, month: month, day: day)
        return Timestamp(millisecondsSinceEpoch: (days * 86_400 + seconds) * 1000 + millisecond)
    }

    // Both directions after Howard Hinnant, "chrono-compatible low-level date algorithms": eras of 400 years that begin
    // on 1 March, so that the leap day is the last day of a year.

    private static func daysSinceEpoch(year: Int64, month: Int64, day: Int64) -> Int64 {
        let (era, yearOfEra) = (month <= 2 ? year - 1 : year).floored(by: 400)
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private static func date(daysSinceEpoch days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let (era, dayOfEra) = (days + 719_468).floored(by: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        return (era * 400 + yearOfEra + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shifted + 2) / 5 + 1)
    }
}

extension Int64 {
    /// Quotient towards negative infinity, and the remainder, which is never negative.
    fileprivate func floored(by divisor: Int64) -> (Int64, Int64) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}
