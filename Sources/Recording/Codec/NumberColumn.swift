internal import Telemetry

/// Numbers of rows, row after row, as a `NumberWalker` takes them.
struct NumberTable {
    var rowCount = 0
    var columnCount = 0
    var words: [UInt64] = []
    var isThere: [Bool] = []

    /// Takes what `walker` took from `rowCount` rows.
    init(_ walker: NumberWalker, rowCount: Int) {
        self.rowCount = rowCount
        columnCount = rowCount > 0 ? walker.words.count / rowCount : 0
        words = walker.words
        isThere = walker.isThere
    }

    /// Nothing there yet.
    init(rowCount: Int, columnCount: Int) {
        self.rowCount = rowCount
        self.columnCount = columnCount
        words = [UInt64](repeating: 0, count: rowCount * columnCount)
        isThere = [Bool](repeating: false, count: rowCount * columnCount)
    }

    @inline(__always)
    func place(_ row: Int, _ column: Int) -> Int { row &* columnCount &+ column }

    /// The word at `row` and `column`, `nil` where there is no number.
    @inline(__always)
    func word(_ row: Int, _ column: Int) -> UInt64? {
        guard row < rowCount, column < columnCount else { return nil }
        let place = place(row, column)
        return isThere[place] ? words[place] : nil
    }

    /// Puts `word` at `row` and `column`.
    @inline(__always)
    mutating func set(_ word: UInt64?, _ row: Int, _ column: Int) {
        let place = place(row, column)
        words[place] = word ?? 0
        isThere[place] = word != nil
    }

    /// The duration in `column` of a row, 0 where it is not known.
    func span(_ row: Int, _ column: Int?) -> Nanoseconds {
        column.flatMap { word(row, $0) } ?? 0
    }
}

/// Numbers as small whole ones, if they come back bit for bit.
struct CompactNumber {
    /// Beyond this not every whole number is a double.
    private static let limit = 9_007_199_254_740_992.0

    let form: NumberForm
    let isInteger: Bool
    /// The duration that a rate is over, 0 where it is not known.
    var span: Nanoseconds = 0
    /// The other count of a share or quotient.
    var other: Int64 = 0

    /// The whole number that stands for `word`; `nil` if none gives it back.
    @inline(__always)
    func compact(_ word: UInt64) -> Int64? {
        if isInteger { return Int64(bitPattern: word) }
        let value = Double(bitPattern: word)
        let scaled: Double =
            switch form {
            case .whole: value
            case .thousandths: value * 1000
            case .billionths: value * 1e9
            case .rate: span > 0 ? value * (Double(span) / 1e9) : value * 1000
            case .share: value < 100 ? value * Double(other) / (100 - value) : 1
            case .quotient: value > 0 ? Double(other) / value : 0
            }
        guard abs(scaled) < Self.limit else { return nil }
        // Rounded so, no function is called. Where half a unit is lost the number does not come
        // back, and is written as it is.
        let number = Int64(scaled + (scaled < 0 ? -0.5 : 0.5))
        return expand(number) == word ? number : nil
    }

    /// The word that `number` stands for.
    @inline(__always)
    func expand(_ number: Int64) -> UInt64 {
        if isInteger { return UInt64(bitPattern: number) }
        let value = Double(number)
        let result: Double =
            switch form {
            case .whole: value
            case .thousandths: value / 1000
            case .billionths: value / 1e9
            case .rate: span > 0 ? value / (Double(span) / 1e9) : value / 1000
            case .share: (value / (value + Double(other)) * 100).roundedToThousandths
            case .quotient: (Double(other) / value).roundedToThousandths
            }
        return result.bitPattern
    }
}

/// What is known of a column's numbers before they are read, row by row.
struct ColumnGuess {
    /// Exactly this number, or exactly none.
    enum Exact {
        case unknown, missing
        case word(UInt64)

        var isKnown: Bool {
            if case .unknown = self { false } else { true }
        }
    }
    /// Empty where nothing is known.
    var exact: [Exact] = []
    /// About this, as the compact whole number; the key's number where it is empty or `nil`.
    var about: [Int64?] = []
    /// Or about this: which of the two is told.
    var otherAbout: [Int64?] = []
    /// The other count of a share or quotient.
    var others: [Int64?] = []

    /// By how much more a number is likely to be off than another row's: sixteenths of the binary
    /// logarithm.
    var spreads: [Int] = []
    /// Of how many the number is likely to count some.
    var trials: [Int64] = []

    /// Rows of which the guess is nearly always exact.
    var sure: [Bool] = []

    func other(_ row: Int) -> Int64 { row < others.count ? others[row] ?? 0 : 0 }

    @inline(__always)
    func spread(_ row: Int) -> Int { row < spreads.count ? spreads[row] : 0 }

    /// `activity`, or that the guess is sure.
    @inline(__always)
    func certainty(_ row: Int, _ activity: RowActivity) -> Int {
        Int((row < sure.count && sure[row] ? .sure : activity).rawValue) << 2
    }

    /// The trials of a row where they are few.
    @inline(__always)
    func few(_ row: Int) -> Int64? {
        guard row < trials.count, trials[row] >= 1, trials[row] <= FewModels.most else {
            return nil
        }
        return trials[row]
    }

    /// Whether each of `count` rows is foretold.
    func foretellsAll(_ count: Int) -> Bool {
        count > 0 && exact.count == count && exact.allSatisfy { $0.isKnown }
    }

    /// Whether every number in `column` is just what was foretold.
    func isExact(_ table: NumberTable, _ column: Int) -> Bool {
        (0..<table.rowCount).allSatisfy { isExact(table.word($0, column), $0) == true }
    }

    /// Puts what was foretold into `column`.
    func fill(_ table: inout NumberTable, _ column: Int) {
        for row in exact.indices {
            if case .word(let word) = exact[row] { table.set(word, row, column) }
        }
    }

    /// Whether `word` is exactly what was foretold; `nil` where nothing was.
    @inline(__always)
    func isExact(_ word: UInt64?, _ row: Int) -> Bool? {
        guard row < exact.count else { return nil }
        switch exact[row] {
        case .unknown: return nil
        case .missing: return word == nil
        case .word(let expected): return word == expected
        }
    }
}

/// What guesses numbers of a table from those read before; both sides ask the same.
protocol ColumnGuesser {
    /// Called before `column` is written or read; `done` holds the columns before it in order.
    func guess(_ column: Int, done: TableState) -> ColumnGuess?
    /// How busy the rows are, once `column` is known; `nil` where that says nothing new. Asked
    /// before the first column too.
    func activity(after column: Int?, done: TableState) -> [RowActivity]?
}

extension ColumnGuesser {
    func activity(after column: Int?, done: TableState) -> [RowActivity]? { nil }
}

/// Whether a row had anything to do: of one that had not, means are missing and counts are 0.
enum RowActivity: UInt8, CaseIterable {
    case unknown, idle, busy
    /// What is expected is nearly always exact.
    case sure

    /// Of a row with this rate.
    init(_ rate: UInt64?) {
        self = rate.map { $0 == 0 ? .idle : .busy } ?? .unknown
    }
}

/// No guesses but the key's numbers.
struct PlainGuesser: ColumnGuesser {
    func guess(_ column: Int, done: TableState) -> ColumnGuess? { nil }
}

/// What is known of a table while its columns are written or read.
struct TableState {
    var table: NumberTable
    /// The key's numbers, and which of its rows each row was.
    let base: NumberTable
    let baseRows: [Int?]
    /// The column with the duration that rates of the row are over.
    let spanColumn: Int?
    /// Or these durations, where they belong to other rows: this table's, and the key's.
    var spans: [Nanoseconds] = []
    var baseSpans: [Nanoseconds] = []

    @inline(__always)
    func span(_ row: Int) -> Nanoseconds {
        row < spans.count ? spans[row] : table.span(row, spanColumn)
    }

    @inline(__always)
    func baseSpan(_ key: Int) -> Nanoseconds {
        key < baseSpans.count ? baseSpans[key] : base.span(key, spanColumn)
    }

    /// What the key has in `column`: no rows, none of the numbers, some.
    func presence(_ column: Int) -> Int {
        var hasRows = false
        for row in baseRows.indices where baseRows[row] != nil {
            if baseWord(row, column) != nil { return 2 }
            hasRows = true
        }
        return hasRows ? 1 : 0
    }

    @inline(__always)
    func baseWord(_ row: Int, _ column: Int) -> UInt64? {
        baseRows[row].flatMap { base.word($0, column) }
    }

    /// A number of the rate column `column`, as a count.
    func count(_ row: Int, _ column: Int) -> Int64? {
        table.word(row, column).flatMap {
            CompactNumber(form: .rate, isInteger: false, span: span(row)).compact($0)
        }
    }

    /// The same of the key.
    func baseCount(_ row: Int, _ column: Int) -> Int64? {
        guard let key = baseRows[row], let word = base.word(key, column) else { return nil }
        return CompactNumber(form: .rate, isInteger: false, span: baseSpan(key)).compact(word)
    }
}
