/// A point in time as people write it, in UTC (proleptic Gregorian calendar).
public struct CalendarTime: Sendable, Equatable {
    public let year: Int
    /// 1…12
    public let month: Int
    /// 1…31
    public let day: Int
    public let hour: Int
    public let minute: Int
    public let second: Int
    public let millisecond: Int

    /// The calendar time of `wallClock` nanoseconds since 1970-01-01 UTC.
    ///
    /// Days are counted in 400-year eras from 1 March of year 0, so that a leap day ends a year.
    public init(wallClock: Int64) {
        let milliseconds = Int(wallClock.flooredQuotient(1_000_000))
        let days = milliseconds.flooredQuotient(86_400_000)
        let inDay = milliseconds - days * 86_400_000
        let shifted = days + 719_468
        let era = shifted.flooredQuotient(146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        hour = inDay / 3_600_000
        minute = inDay / 60_000 % 60
        second = inDay / 1000 % 60
        millisecond = inDay % 1000
    }
}

extension FixedWidthInteger where Self: SignedInteger {
    /// Division that rounds towards minus infinity.
    func flooredQuotient(_ divisor: Self) -> Self {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }
}

/// `2026-01-02T03:04:05.678Z` for nanoseconds since 1970-01-01 UTC.
public func iso8601(_ wallClock: Int64) -> String {
    let time = CalendarTime(wallClock: wallClock)
    func digits(_ value: Int, _ count: Int) -> String {
        let text = String(value)
        return String(repeating: "0", count: max(0, count - text.count)) + text
    }
    return digits(time.year, 4) + "-" + digits(time.month, 2) + "-" + digits(time.day, 2)
        + "T" + digits(time.hour, 2) + ":" + digits(time.minute, 2) + ":"
        + digits(time.second, 2) + "." + digits(time.millisecond, 3) + "Z"
}
