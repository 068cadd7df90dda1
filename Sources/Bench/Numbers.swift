/// Numbers as charts and tables show them; what is missing is a dash.
enum Numbers {
    /// With `decimals` (0…6) places.
    static func fixed(_ value: Double?, _ decimals: Int) -> String {
        guard let value, value.isFinite else { return "-" }
        let power = (0..<min(max(decimals, 0), 6)).reduce(1) { product, _ in product * 10 }
        let scaled = (abs(value) * Double(power)).rounded()
        guard scaled < 1e15 else { return "-" }
        let (whole, fraction) = Int(scaled).quotientAndRemainder(dividingBy: power)
        let sign = value < 0 && scaled > 0 ? "-" : ""
        guard power > 1 else { return sign + String(whole) }
        return sign + String(whole) + "." + String(String(power + fraction).dropFirst())
    }

    /// Three figures, but no fewer than all before the point: `1843`, `12.4`, `0.0312`, `0.000420`.
    static func short(_ value: Double?) -> String {
        guard let value, value.isFinite else { return "-" }
        let size = abs(value)
        if size == 0 { return "0" }
        if size >= 99.95 { return fixed(value, 0) }
        if size >= 9.995 { return fixed(value, 1) }
        if size >= 0.9995 { return fixed(value, 2) }
        if size >= 0.09995 { return fixed(value, 3) }
        if size >= 0.009995 { return fixed(value, 4) }
        if size >= 0.0009995 { return fixed(value, 5) }
        return size < 0.0000005 ? "<0.000001" : fixed(value, 6)
    }

    /// Whole, in groups of three: `1,613,288`.
    static func grouped(_ value: Double?) -> String {
        let digits = fixed(value, 0)
        guard digits.first?.isNumber == true else { return digits }
        var text = ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index) % 3 == 0 { text.append(",") }
            text.append(digit)
        }
        return text
    }

    /// `512 B`, `4 KiB`, `1 MiB`.
    static func bytes(_ count: Int) -> String {
        if count >= 1 << 20, count % (1 << 20) == 0 { return "\(count >> 20) MiB" }
        if count >= 1 << 10, count % (1 << 10) == 0 { return "\(count >> 10) KiB" }
        return "\(count) B"
    }

    /// `±3 %`, and nothing for a single value.
    static func plusMinus(_ spread: Spread?) -> String {
        guard let percent = spread?.percent else { return "" }
        return "±" + fixed(percent, percent < 9.95 ? 1 : 0) + " %"
    }

    /// `0.96 (0.94…0.98)`.
    static func range(_ spread: Spread?) -> String {
        guard let spread else { return "-" }
        return fixed(spread.median, 2) + " (" + fixed(spread.low, 2) + "…"
            + fixed(spread.high, 2) + ")"
    }

    /// With a decimal suffix and at most two places: `1.5M`, `2.25M`.
    static func axis(_ value: Double) -> String {
        guard value.isFinite, value < 1e15 else { return short(value) }
        for (unit, suffix) in [(1e9, "G"), (1e6, "M"), (1e3, "k")] where value >= unit {
            let hundredths = Int((value / unit * 100).rounded())
            let decimals = hundredths % 100 == 0 ? 0 : hundredths % 10 == 0 ? 1 : 2
            return fixed(value / unit, decimals) + suffix
        }
        return short(value)
    }

    /// The smallest of 1, 2, 2.5, 5 times a power of ten that is no less than `value`.
    static func niceCeiling(_ value: Double) -> Double {
        guard value > 0, value.isFinite, value < 1e15 else { return 1 }
        var power = 1.0
        while power * 10 <= value { power *= 10 }
        while power > value { power /= 10 }
        return [1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10].map { $0 * power }.first { $0 >= value }
            ?? power * 10
    }
}
