internal import Telemetry

/// Numbers as text, in the C locale: 4 significant figures. What is not known is `-`.
enum Figures {
    /// `value` with `decimals` (0…6) places; `-` where it is not finite or too large for digits.
    static func fixed(_ value: Double?, _ decimals: Int) -> String {
        guard let value, value.isFinite else { return "-" }
        let decimals = min(max(decimals, 0), 6)
        let power = (0..<decimals).reduce(1) { product, _ in product * 10 }
        let scaled = (value * Double(power)).rounded()
        guard abs(scaled) < 1e15 else { return "-" }
        let digits = Int(scaled)
        guard power > 1 else { return String(digits) }
        let (whole, fraction) = abs(digits).quotientAndRemainder(dividingBy: power)
        let padding = String(repeating: "0", count: decimals - String(fraction).utf8.count)
        return (digits < 0 ? "-" : "") + String(whole) + "." + padding + String(fraction)
    }

    /// With at most `decimals` places and no more than 4 significant figures.
    static func plain(_ value: Double?, decimals: Int = 3) -> String {
        guard let value else { return "-" }
        let size = abs(value)
        if size >= 999_999.5 { return compact(value) }
        let room = size < 9.9995 ? 3 : size < 99.995 ? 2 : size < 999.95 ? 1 : 0
        return value == value.rounded() ? fixed(value, 0) : fixed(value, min(decimals, room))
    }

    /// With 3 figures and a decimal suffix: `48.2k`.
    static func compact(_ value: Double?) -> String {
        scaled(value, by: 1000, ["", "k", "M", "G", "T", "P"])
    }

    /// Bytes with 3 figures and a binary suffix: `1.21GiB`.
    static func bytes(_ value: Double?) -> String {
        scaled(value, by: 1024, ["B", "KiB", "MiB", "GiB", "TiB", "PiB"])
    }

    /// Microseconds with 3 figures and a unit: `1.90ms`.
    static func duration(_ microseconds: Double?) -> String {
        guard let microseconds else { return "-" }
        if abs(microseconds) >= 999_500 { return three(microseconds / 1e6) + "s" }
        if abs(microseconds) >= 999.5 { return three(microseconds / 1e3) + "ms" }
        return three(microseconds) + "us"
    }

    private static func scaled(
        _ value: Double?, by step: Double, _ suffixes: [String]
    ) -> String {
        guard var value else { return "-" }
        for suffix in suffixes {
            if abs(value) < 999.5 { return three(value) + suffix }
            value /= step
        }
        return "-"
    }

    private static func three(_ value: Double) -> String {
        let size = abs(value)
        let isWhole = value == value.rounded()
        return fixed(value, isWhole || size >= 99.95 ? 0 : size < 9.995 ? 2 : 1)
    }

    /// `text` without what would act on a terminal: control characters, marks of direction.
    static func clean(_ text: String) -> String { text.harmless(replacement: "?") }

    /// `text` in `width` columns, cut with `~` where it is longer.
    static func left(_ text: String, _ width: Int) -> String {
        guard text.count > width else {
            return text + String(repeating: " ", count: width - text.count)
        }
        return width > 0 ? String(text.prefix(width - 1)) + "~" : ""
    }

    /// Without the spaces at its end.
    static func trimmed(_ text: String) -> String {
        String(text.reversed().drop { $0 == " " }.reversed())
    }

    static func right(_ text: String, _ width: Int) -> String {
        text.count >= width
            ? left(text, width) : String(repeating: " ", count: width - text.count) + text
    }
}
