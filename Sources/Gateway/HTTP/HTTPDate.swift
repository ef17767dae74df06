// SPDX-License-Identifier: MIT

internal import Glibc

/// The present time as HTTP writes it (RFC 9110 §5.6.7), made anew when the second has changed.
struct HTTPDate {
    private var second: Int64 = -1
    private var cached = ""

    /// The present second: `Sun, 06 Nov 1994 08:49:37 GMT`.
    var text: String {
        mutating get {
            let now = Int64(time(nil))
            if now != second {
                second = now
                cached = Self.text(secondsSinceEpoch: now)
            }
            return cached
        }
    }

    /// A second as HTTP writes it; of the years 1970 to 9999.
    static func text(secondsSinceEpoch seconds: Int64) -> String {
        let days = seconds / 86400
        let (hour, minute, second) = (seconds % 86400 / 3600, seconds % 3600 / 60, seconds % 60)
        // Days from a 1 March on, so that a leap day is the last of its year; 719,468 days lie before 1970.
        let shifted = days + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        // 1 January 1970 was a Thursday.
        let weekday = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][Int(days % 7)]
        let monthName = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ][Int(month - 1)]
        func padded(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return
            "\(weekday), \(padded(day)) \(monthName) \(year) \(padded(hour)):\(padded(minute)):\(padded(second)) GMT"
    }
}
