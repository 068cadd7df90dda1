internal import Telemetry

/// A time as people type it.
///
/// | text | is |
/// |---|---|
/// | `22:01`, `22:01:30`, `22:01:30.5` | that time of the day, next to where one is |
/// | `2026-01-02 22:01`, `2026-01-02` | that time of that day |
/// | `-5m`, `+30s`, `-1h30m`, `-90` | so much from where one is; `d h m s ms`, else seconds |
/// | `1767323045`, `1767323045.5` | seconds since 1970-01-01 UTC |
///
/// A `T` between date and time and a `Z` at the end are taken.
public enum TimeTarget: Sendable, Equatable {
    /// Nanoseconds since 1970-01-01 UTC.
    case wallClock(Int64)
    /// Seconds from where one is, back if negative.
    case relative(Double)

    /// Reads `text`; `nil` when it is no time.
    ///
    /// A time without a date is taken on the day, of the one `near` (nanoseconds since 1970) and
    /// those beside it, that falls into `range` and is nearest. `offset` is the zone the text is
    /// written in, seconds east of UTC.
    public init?(
        _ text: String, near: Int64, within range: ClosedRange<Int64>? = nil, offset: Int = 0
    ) {
        let text = text.utf8.drop { $0 == 32 }
        var reader = TimeReader(text)
        guard let first = text.first, text.count <= 40 else { return nil }
        if first == UInt8(ascii: "-") || first == UInt8(ascii: "+") {
            guard let seconds = reader.signedDuration() else { return nil }
            self = .relative(seconds)
        } else if let time = reader.epoch() ?? TimeReader.dated(text, offset) {
            self = .wallClock(time)
        } else if let inDay = TimeReader.timeOfDay(text) {
            self = .wallClock(Self.nearest(inDay, near, range, offset))
        } else {
            return nil
        }
    }

    private static let day: Int64 = 86_400_000_000_000

    /// The instant with `inDay` nanoseconds since midnight that is meant.
    private static func nearest(
        _ inDay: Int64, _ near: Int64, _ range: ClosedRange<Int64>?, _ offset: Int
    ) -> Int64 {
        // Within 280 years of 1970, so that no sum overflows.
        let near = min(max(near, -8_800_000_000_000_000_000), 8_800_000_000_000_000_000)
        let shift = Int64(min(max(offset, -86_400), 86_400)) * 1_000_000_000
        let local = near + shift
        let remainder = local % day
        let midnight = local - (remainder < 0 ? remainder + day : remainder)
        let candidates = [0, -1, 1].map { midnight + $0 * day + inDay - shift }
        let inside = candidates.filter { range?.contains($0) ?? true }
        let nearest = inside.min { ($0 - near).magnitude < ($1 - near).magnitude }
        return nearest ?? candidates[0]
    }
}

/// Takes numbers and signs off the front of a text.
private struct TimeReader {
    private var rest: Substring.UTF8View

    init(_ text: Substring.UTF8View) {
        rest = text
        while rest.last == 32 { rest.removeLast() }
    }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard let first = rest.first, first == UInt8(ascii: scalar) else { return false }
        rest.removeFirst()
        return true
    }

    /// Up to `limit` digits, none of them missing.
    private mutating func digits(_ limit: Int) -> Int? {
        let digits = rest.prefix { (48...57).contains($0) }
        guard !digits.isEmpty, digits.count <= limit else { return nil }
        rest = rest[digits.endIndex...]
        return Int(Substring(digits))
    }

    /// `.25` in nanoseconds; 0 without a point.
    private mutating func fraction() -> Int64? {
        guard take(".") else { return 0 }
        let digits = rest.prefix { (48...57).contains($0) }
        guard !digits.isEmpty else { return nil }
        rest = rest[digits.endIndex...]
        let padded = (String(Substring(digits)) + "000000000").prefix(9)
        return Int64(padded)
    }

    mutating func epoch() -> Int64? {
        let start = rest
        if let seconds = digits(10), seconds < 9_200_000_000, let part = fraction(), rest.isEmpty {
            return Int64(seconds) * 1_000_000_000 + part
        }
        rest = start
        return nil
    }

    /// Seconds of `-1h30m`; the text is only that.
    mutating func signedDuration() -> Double? {
        let isBack = take("-")
        if !isBack { guard take("+") else { return nil } }
        var sum = 0.0
        repeat {
            guard let whole = digits(10), let part = fraction() else { return nil }
            guard let unit = unit() else { return nil }
            sum += (Double(whole) + Double(part) / 1e9) * unit
        } while !rest.isEmpty
        return sum <= 1e10 ? (isBack ? -sum : sum) : nil
    }

    private mutating func unit() -> Double? {
        let letters = rest.prefix { !(48...57).contains($0) }
        rest = rest[letters.endIndex...]
        return switch String(Substring(letters)) {
        case "d": 86_400
        case "h": 3600
        case "m", "min": 60
        case "s": 1
        case "ms": 0.001
        // A bare number is seconds, and the end.
        case "": rest.isEmpty ? 1 : nil
        default: nil
        }
    }

    /// Nanoseconds since midnight.
    static func timeOfDay(_ text: Substring.UTF8View) -> Int64? {
        var reader = TimeReader(text)
        guard let time = reader.time() else { return nil }
        return reader.isAtEnd ? time : nil
    }

    private mutating func time() -> Int64? {
        guard let hour = digits(2), hour < 24, take(":"), let minute = digits(2), minute < 60
        else { return nil }
        var (second, part) = (0, Int64(0))
        if take(":") {
            guard let value = digits(2), value < 60, let places = fraction() else { return nil }
            (second, part) = (value, places)
        }
        return Int64(hour * 3600 + minute * 60 + second) * 1_000_000_000 + part
    }

    /// A `Z` is taken as read.
    private var isAtEnd: Bool { rest.isEmpty || rest.elementsEqual("Z".utf8) }

    static func dated(_ text: Substring.UTF8View, _ offset: Int) -> Int64? {
        var reader = TimeReader(text)
        guard let year = reader.digits(4), (1970...2200).contains(year), reader.take("-"),
            let month = reader.digits(2), (1...12).contains(month), reader.take("-"),
            let day = reader.digits(2), let days = days(year, month, day)
        else { return nil }
        var inDay: Int64 = 0
        if !reader.isAtEnd {
            guard reader.take(" ") || reader.take("T"), let time = reader.time(), reader.isAtEnd
            else { return nil }
            inDay = time
        }
        let shift = Int64(min(max(offset, -86_400), 86_400)) * 1_000_000_000
        return Int64(days) * 86_400_000_000_000 + inDay - shift
    }

    /// Days since 1970-01-01; `nil` for a day the month does not have. Years begin in March here,
    /// so that a leap day ends one.
    private static func days(_ year: Int, _ month: Int, _ day: Int) -> Int? {
        let years = month <= 2 ? year - 1 : year
        let fromMarch = (month + 9) % 12
        let dayOfYear = (153 * fromMarch + 2) / 5 + day - 1
        let days = years * 365 + years / 4 - years / 100 + years / 400 + dayOfYear - 719_468
        let check = CalendarTime(wallClock: Int64(days) * 86_400_000_000_000)
        return check.month == month && check.day == day ? days : nil
    }
}
