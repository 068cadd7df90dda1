internal import Telemetry

/// What the numbers of a column are expected to be, row after row; both sides ask the same.
struct ColumnPredictor {
    private let column: Int
    private let takesOther: Bool
    private let unit: Int
    /// Durations are those of the rows before: all were read at about the same times.
    private let follows: Bool
    private var before: Int64?
    private var weight: Int64 = 0

    init(_ column: Int, takesOther: Bool, unit: Int, _ state: TableState) {
        self.column = column
        self.takesOther = takesOther
        self.unit = unit
        follows = column == state.spanColumn
    }

    /// Whether the next number is the first, and those after it are expected to be about the same.
    var isAtStart: Bool { follows && before == nil }

    /// What is expected: what the rows before say, else the guess, else the key's number, else 0.
    @inline(__always)
    func expected(
        _ row: Int, _ state: TableState, _ number: CompactNumber, _ guess: ColumnGuess
    ) -> Int64 {
        if let before { return before }
        let about = takesOther ? guess.otherAbout : guess.about
        if row < about.count, let about = about[row] { return about }
        return state.baseNumber(row, column, number)
    }

    /// Takes note of what came.
    @inline(__always)
    mutating func learn(_ number: Int64) {
        guard follows else { return }
        weight = min(weight &+ 1, 16)
        before = before.map { $0 &+ (number &- $0) / weight } ?? number
    }

    /// What `number` is more than `expected`, in units.
    @inline(__always)
    func residual(_ number: Int64, _ expected: Int64) -> Int64 {
        (number &- rounded(expected)) >> Int64(unit)
    }

    /// The number that is `residual` units more than expected.
    @inline(__always)
    mutating func number(
        _ row: Int, _ residual: Int64, _ state: TableState, _ compact: CompactNumber,
        _ guess: ColumnGuess
    ) -> Int64 {
        let expected = rounded(expected(row, state, compact, guess))
        let number = residual << Int64(unit) &+ expected
        learn(number)
        return number
    }

    /// The multiple of the unit next to `number`.
    @inline(__always)
    private func rounded(_ number: Int64) -> Int64 {
        guard unit > 0 else { return number }
        return ((number &+ 1 << Int64(unit - 1)) >> Int64(unit)) << Int64(unit)
    }
}

/// How a column is written: in which form, compared with what, in which unit.
struct ColumnPlan {
    let form: NumberForm
    /// Whether all but the first are expected to be about the same as those before.
    let startsAnew: Bool
    /// About how many bits the first difference has below its highest then.
    static let startBits = 14
    /// Rows whose numbers need all their bits.
    private var raw: [Bool]
    private(set) var rawCount = 0
    private(set) var takesOther = false
    /// Zero bits at the end of every number, where there are a few.
    private(set) var unit = 0
    /// What the numbers are more than expected; of the rows that have one to be written.
    private(set) var residuals: [Int64] = []
    /// The numbers themselves.
    private(set) var numbers: [Int64] = []
    /// How many bits a difference has below its highest, less its row's spread: sum and count.
    private var scale = (sum: 0, count: 0)

    /// The largest unit, and the smallest that is worth it.
    private static let units = (least: 3, most: 15)

    init(
        _ state: TableState, _ column: Int, _ form: NumberForm, _ kind: ColumnKind,
        _ guess: ColumnGuess
    ) {
        self.form = form
        startsAnew = column == state.spanColumn
        let count = state.table.rowCount
        raw = Array(repeating: false, count: count)
        var (numbers, expected, others): ([Int64], [Int64], [Int64]) = ([], [], [])
        numbers.reserveCapacity(count)
        expected.reserveCapacity(count)
        var predictor = ColumnPredictor(column, takesOther: false, unit: 0, state)
        let other = ColumnPredictor(column, takesOther: true, unit: 0, state)
        let hasOther = !guess.otherAbout.isEmpty
        var rows: [Int] = []
        var ends: Int64 = 0
        for row in 0..<count {
            guard let word = state.table.word(row, column), guess.isExact(word, row) != true
            else { continue }
            let compact = CompactNumber(
                form: form, isInteger: kind.isInteger, span: state.span(row),
                other: guess.other(row))
            guard let number = compact.compact(word) else {
                raw[row] = true
                rawCount += 1
                continue
            }
            ends |= number
            numbers.append(number)
            rows.append(row)
            expected.append(predictor.expected(row, state, compact, guess))
            if hasOther { others.append(other.expected(row, state, compact, guess)) }
            predictor.learn(number)
        }
        if hasOther, Self.size(numbers, others) < Self.size(numbers, expected) {
            takesOther = true
            expected = others
        }
        let zeros = ends == 0 ? 0 : min(ends.trailingZeroBitCount, Self.units.most)
        unit = zeros < Self.units.least ? 0 : zeros
        let units = ColumnPredictor(column, takesOther: takesOther, unit: unit, state)
        residuals = zip(numbers, expected).map { units.residual($0, $1) }
        self.numbers = numbers
        for (index, row) in rows.enumerated().dropFirst(startsAnew ? 1 : 0)
        where residuals[index] != 0 {
            let bits = 63 - residuals[index].magnitude.leadingZeroBitCount
            scale.sum += bits << 4 - guess.spread(row)
            scale.count += 1
        }
    }

    /// This, or the plan with the form in which the fewest numbers need all their bits.
    func best(
        _ state: TableState, _ column: Int, _ kind: ColumnKind, _ guess: ColumnGuess
    ) -> ColumnPlan {
        var best = self
        for form in NumberForm.allCases where best.rawCount > 0 && form != self.form {
            let other = ColumnPlan(state, column, form, kind, guess)
            if other.rawCount < best.rawCount { best = other }
        }
        return best
    }

    func isRaw(_ row: Int) -> Bool { raw[row] }

    /// About how many bits a difference has below its highest.
    var bits: Int {
        guard scale.count > 0 else { return 0 }
        return (scale.sum + scale.count * 8) / (scale.count << 4)
    }

    private static func size(_ numbers: [Int64], _ expected: [Int64]) -> Int {
        zip(numbers, expected).reduce(0) {
            $0 + 64 - ($1.0 &- $1.1).magnitude.leadingZeroBitCount
        }
    }
}

extension TableState {
    /// The key's number, as `number` has it; 0 where it has none.
    @inline(__always)
    func baseNumber(_ row: Int, _ column: Int, _ number: CompactNumber) -> Int64 {
        guard let key = baseRows[row], let word = base.word(key, column) else { return 0 }
        if number.form == .share || number.form == .quotient { return 0 }
        return CompactNumber(form: number.form, isInteger: number.isInteger, span: baseSpan(key))
            .compact(word) ?? 0
    }

    /// What is known of whether a number is there: the key's row has one or has none, or there is
    /// none and the row before had one or had none.
    @inline(__always)
    func presence(_ row: Int, _ column: Int, _ wasThere: Bool) -> Int {
        guard baseRows[row] != nil else { return wasThere ? 0 : 1 }
        return baseWord(row, column) == nil ? 2 : 3
    }
}
