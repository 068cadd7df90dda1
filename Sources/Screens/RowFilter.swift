/// What the user wants to see of a table: words, `~pattern` and comparisons such as `p99>2ms`, all
/// of which a row must meet.
struct RowFilter: Sendable {
    /// What is wrong with a filter, for the user.
    struct Problem: Error, CustomStringConvertible { let description: String }

    private enum Term: Sendable {
        case word(String)
        case pattern(Pattern)
        case comparison(String, Comparison, Double)
    }
    private enum Comparison: String, Sendable, CaseIterable {
        // Two-character signs first: the search takes the first that fits.
        case atLeast = ">=", atMost = "<=", differs = "!=", above = ">", below = "<", equals = "="

        func holds(_ value: Double, _ bound: Double) -> Bool {
            switch self {
            case .atLeast: value >= bound
            case .atMost: value <= bound
            case .differs: value != bound
            case .above: value > bound
            case .below: value < bound
            case .equals: value == bound
            }
        }
    }
    /// As the user typed it.
    let text: String
    private let terms: [Term]

    /// The filter `text` says, for a table of `columns`; throws a sentence on what it does not
    /// understand.
    init<Row>(_ text: String, for columns: [Column<Row>]) throws(Problem) {
        self.text = text
        var terms: [Term] = []
        for word in text.split(separator: " ") { terms.append(try Self.term(word, for: columns)) }
        self.terms = terms
    }

    private static func term<Row>(
        _ word: Substring, for columns: [Column<Row>]
    ) throws(Problem) -> Term {
        if word.first == "~" {
            do { return .pattern(try Pattern(String(word.dropFirst()))) } catch {
                throw Problem(description: error.description)
            }
        }
        guard let start = word.firstIndex(where: { "<>=!".contains($0) }), start > word.startIndex,
            let sign = Comparison.allCases.first(where: { word[start...].hasPrefix($0.rawValue) })
        else { return .word(word.lowercased()) }
        let name = String(word[..<start])
        guard let column = column(name, in: columns), !column.isText else {
            throw Problem(description: "no column `\(name)` to compare")
        }
        let text = word[start...].dropFirst(sign.rawValue.count)
        guard let value = number(text, unit: column.unit) else {
            throw Problem(description: "`\(text)` is not a number such as 250, 2ms or 10k")
        }
        return .comparison(column.word, sign, value)
    }

    /// `2ms`, `10k`, `250`, in the unit the column counts in.
    static func number(_ text: Substring, unit: Unit?) -> Double? {
        let digits = text.prefix { $0.isASCII && ($0.isNumber || $0 == "." || $0 == "-") }
        guard let value = Double(String(digits)), value.isFinite else { return nil }
        let isTime = unit == .latency || unit == .milliseconds
        let factor: Double
        switch text[digits.endIndex...] {
        case "": factor = 1
        case "us" where isTime, "µs" where isTime: return value
        case "ms" where isTime: return value * 1000
        case "s" where isTime: return value * 1_000_000
        case "k": factor = 1000
        case "M": factor = 1_000_000
        case "%": factor = 1
        default: return nil
        }
        switch unit {
        case .bandwidth: return value * factor * 1_048_576
        case .kibibytes: return value * factor * 1024
        case .milliseconds: return value * factor * 1000
        default: return value * factor
        }
    }

    /// Whether `row` meets all terms; a value that is not known meets no comparison.
    func keeps<Row: TableRow>(_ row: Row, _ columns: [Column<Row>]) -> Bool {
        terms.allSatisfy { term in
            switch term {
            case .word(let word): row.names.contains { $0.lowercased().contains(word) }
            case .pattern(let pattern): row.names.contains(where: pattern.matches)
            case .comparison(let word, let comparison, let bound):
                column(word, in: columns)?.value(row).map { comparison.holds($0, bound) } ?? false
            }
        }
    }
}
