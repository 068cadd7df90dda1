/// Numbers as text, in the C locale whatever the user's: 4 significant figures, no Foundation.
enum NumberText {
    private static let powers = [1, 10, 100, 1000]

    /// `value` with `decimals` (0…3) places, `nil` when it is not finite or too large for digits.
    static func fixed(_ value: Double, decimals: Int) -> String? {
        let decimals = min(max(decimals, 0), 3)
        let power = powers[decimals]
        let scaled = (value * Double(power)).rounded()
        guard scaled.isFinite, abs(scaled) < 1e15 else { return nil }
        let digits = Int(scaled)
        guard power > 1 else { return String(digits) }
        let (whole, fraction) = abs(digits).quotientAndRemainder(dividingBy: power)
        let sign = digits < 0 ? "-" : ""
        let padding = String(repeating: "0", count: decimals - String(fraction).utf8.count)
        return sign + String(whole) + "." + padding + String(fraction)
    }

    /// `value` with at most `decimals` places and no more than 4 significant figures.
    static func figures(_ value: Double, decimals: Int) -> String? {
        let size = abs(value)
        let room = size < 9.9995 ? 3 : size < 99.995 ? 2 : size < 999.95 ? 1 : 0
        return fixed(value, decimals: min(decimals, room))
    }

    /// `value` with 3 figures and a decimal suffix: `48.2k`, `1.21M`.
    static func compact(_ value: Double) -> String {
        scaled(value, by: 1000, suffixes: ["", "k", "M", "G", "T", "P"])
    }

    /// Bytes with 3 figures and a binary suffix: `1.21Gi`.
    static func compactBytes(_ value: Double) -> String {
        scaled(value, by: 1024, suffixes: ["", "Ki", "Mi", "Gi", "Ti", "Pi"])
    }

    /// A time given in microseconds, with 3 figures and its unit: `212us`, `1.90ms`, `4.10s`.
    static func duration(_ microseconds: Double, micro: String) -> String {
        if abs(microseconds) >= 999_500 { return threeFigures(microseconds / 1e6) + "s" }
        if abs(microseconds) >= 999.5 { return threeFigures(microseconds / 1e3) + "ms" }
        return threeFigures(microseconds) + micro + "s"
    }

    /// Minutes and seconds, and hours if there are any: `03:12`.
    static func clock(_ seconds: Double) -> String {
        let whole = Int(min(max(0, seconds.isFinite ? seconds : 0), 3.6e8))
        let hours = whole / 3600
        return (hours > 0 ? twoDigits(hours) + ":" : "") + twoDigits(whole / 60 % 60) + ":"
            + twoDigits(whole % 60)
    }

    /// At least two digits.
    static func twoDigits(_ value: Int) -> String {
        (0..<10).contains(value) ? "0" + String(value) : String(value)
    }

    private static func scaled(_ value: Double, by step: Double, suffixes: [String]) -> String {
        var value = value
        for suffix in suffixes {
            if abs(value) < 999.5 { return threeFigures(value) + suffix }
            value /= step
        }
        return "-"
    }

    private static func threeFigures(_ value: Double) -> String {
        let size = abs(value)
        let isWhole = value == value.rounded()
        let decimals = isWhole || size >= 99.95 ? 0 : size < 9.995 ? 2 : 1
        return fixed(value, decimals: decimals) ?? "-"
    }
}
