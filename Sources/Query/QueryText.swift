internal import Libraries
internal import Telemetry

/// A cell of an answer.
public enum QueryValue: Sendable, Equatable {
    case null
    case integer(Int64)
    case real(Double)
    case text(String)

    init(_ value: SQLiteValue) {
        switch value {
        case .null: self = .null
        case .integer(let number): self = .integer(number)
        case .real(let number): self = .real(number)
        case .text(let text): self = .text(text)
        }
    }

    /// Its digits or its text, `nil` for null. A fraction is written in full.
    var plain: String? {
        switch self {
        case .null: nil
        case .integer(let number): String(number)
        case .real(let number):
            number == number.rounded() && abs(number) < 1e15
                ? String(Int64(number)) + ".0" : "\(number)"
        case .text(let text): text
        }
    }
}

/// Answers as text.
public enum QueryText {
    /// A line of CSV (RFC 4180); an unknown value is empty. Control characters, but for tabs and
    /// line ends, become `?`.
    public static func csv(_ row: [QueryValue]) -> String {
        row.map { value in quoted(clean(value.plain ?? "", keeping: "\t\n\r")) }
            .joined(separator: ",")
    }

    /// The heading of CSV.
    public static func csv(heading: [String]) -> String { csv(heading.map { .text($0) }) }

    /// One JSON object; a later column of the same name replaces an earlier one for most readers.
    public static func json(_ row: [QueryValue], columns: [String]) -> String {
        let pairs = zip(columns, row).map { column, value in
            jsonText(column) + ":" + json(value)
        }
        return "{" + pairs.joined(separator: ",") + "}"
    }

    /// A table for people: numbers at the right, texts at the left, columns as wide as their
    /// values but at most `widest`, and control characters replaced.
    public static func table(
        _ rows: [[QueryValue]], columns: [String], widest: Int = 60
    ) -> String {
        let titles = columns.map { $0.harmless(replacement: "?") }
        let cells = rows.map { row in row.map { short($0).harmless(replacement: "?") } }
        var widths = titles.map(\.count)
        for row in cells {
            for (index, cell) in row.enumerated() where index < widths.count {
                widths[index] = max(widths[index], cell.count)
            }
        }
        widths = widths.map { min($0, max(1, widest)) }
        func line(_ texts: [String], _ isNumber: (Int) -> Bool) -> String {
            let parts = texts.enumerated().prefix(widths.count).map { index, text in
                let isLong = text.count > widths[index]
                let cut = isLong ? String(text.prefix(widths[index] - 1)) + "~" : text
                let padding = String(repeating: " ", count: widths[index] - cut.count)
                return isNumber(index) ? padding + cut : cut + padding
            }
            let joined = parts.joined(separator: "  ")
            return String(joined.reversed().drop { $0 == " " }.reversed())
        }
        let numbers = columns.indices.map { column in
            !rows.isEmpty && rows.allSatisfy { column < $0.count && !$0[column].isText }
        }
        let heading = line(titles) { numbers[$0] }
        let body = cells.map { row in line(row) { numbers[$0] } }
        return ([heading] + body).joined(separator: "\n") + "\n"
    }

    /// Fractions with three decimals: enough for people.
    private static func short(_ value: QueryValue) -> String {
        guard case .real(let number) = value, number.isFinite, abs(number) < 1e12 else {
            return value.plain ?? "-"
        }
        let thousandths = Int64((number * 1000).rounded())
        let digits = String(thousandths.magnitude % 1000)
        return (thousandths < 0 ? "-" : "") + String(thousandths.magnitude / 1000) + "."
            + String(repeating: "0", count: 3 - digits.utf8.count) + digits
    }

    private static func json(_ value: QueryValue) -> String {
        switch value {
        case .null: "null"
        case .real(let number) where !number.isFinite: "null"
        case .text(let text): jsonText(text)
        default: value.plain ?? "null"
        }
    }

    private static func jsonText(_ text: String) -> String {
        var json = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": json += "\\\""
            case "\\": json += "\\\\"
            case "\n": json += "\\n"
            case "\t": json += "\\t"
            default:
                if scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) {
                    let hex = String(scalar.value, radix: 16)
                    json += "\\u" + String(repeating: "0", count: 4 - hex.utf8.count) + hex
                } else {
                    json.unicodeScalars.append(scalar)
                }
            }
        }
        return json + "\""
    }

    private static func quoted(_ text: String) -> String {
        let needsQuotes = text.utf8.contains { [0x22, 0x2C, 0x0A, 0x0D].contains($0) }
        guard needsQuotes else { return text }
        var quoted = "\""
        for scalar in text.unicodeScalars {
            if scalar == "\"" { quoted += "\"" }
            quoted.unicodeScalars.append(scalar)
        }
        return quoted + "\""
    }

    private static func clean(_ text: String, keeping kept: String) -> String {
        var clean = ""
        for scalar in text.unicodeScalars {
            let isKept = !scalar.isHarmful || kept.unicodeScalars.contains(scalar)
            clean.unicodeScalars.append(isKept ? scalar : "?")
        }
        return clean
    }
}

extension QueryValue {
    fileprivate var isText: Bool { if case .text = self { true } else { false } }
}
