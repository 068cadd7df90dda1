internal import Telemetry

/// A column's description: its usual form, and whether its words are whole numbers.
typealias ColumnKind = (form: NumberForm, isInteger: Bool)

/// Writes the columns of one table.
struct ColumnEncoder {
    private(set) var coder: RangeEncoder
    private(set) var models: ColumnModels
    private var state: TableState
    /// Rows whose last difference was 0.
    private var wasZero: [Bool]
    private var activity: [RowActivity]

    /// Goes on with `coder`, and with what `models` learnt of other columns.
    init(
        _ state: TableState, coder: RangeEncoder = RangeEncoder(),
        models: ColumnModels = ColumnModels()
    ) {
        self.state = state
        self.coder = coder
        self.models = models
        activity = Array(repeating: .unknown, count: state.table.rowCount)
        wasZero = Array(repeating: false, count: state.table.rowCount)
    }

    /// The number of columns, and the numbers of all in `order`.
    mutating func encode(
        _ kinds: [ColumnKind], order: [Int], guesser: some ColumnGuesser
    ) -> [UInt8] {
        put(kinds, order: order, guesser: guesser)
        var writer = ByteWriter()
        writer.number(order.count)
        writer.append(coder.finish())
        return writer.bytes
    }

    /// The numbers of all columns in `order`.
    mutating func put(_ kinds: [ColumnKind], order: [Int], guesser: some ColumnGuesser) {
        var wasBase = true
        activity = guesser.activity(after: nil, done: state) ?? activity
        for column in order {
            defer { activity = guesser.activity(after: column, done: state) ?? activity }
            let (hasNumbers, isBase) = survey(column)
            coder.put(hasNumbers, &models.isEmpty[state.presence(column)])
            guard hasNumbers else { continue }
            let guess = guesser.guess(column, done: state) ?? ColumnGuess()
            if guess.foretellsAll(state.table.rowCount) {
                let isForetold = guess.isExact(state.table, column)
                coder.put(isForetold, &models.isForetold)
                if isForetold { continue }
            }
            models.withBase(wasBase) { coder.put(isBase, &$0) }
            wasBase = isBase
            if isBase { continue }
            encode(column, kinds[column], guess)
        }
    }

    private mutating func encode(_ column: Int, _ kind: ColumnKind, _ guess: ColumnGuess) {
        models.relax()
        var plan = ColumnPlan(state, column, kind.isInteger ? .whole : kind.form, kind, guess)
        if !kind.isInteger {
            plan = plan.best(state, column, kind, guess)
            coder.put(plan.form != kind.form, &models.isUsual)
            if plan.form != kind.form { coder.putBits(UInt64(plan.form.rawValue), count: 3) }
        }
        if !guess.otherAbout.isEmpty { coder.put(plan.takesOther, &models.takesOther) }
        coder.put(plan.unit > 0, &models.hasUnit)
        if plan.unit > 0 { coder.putBits(UInt64(plan.unit), count: 4) }
        let (bits, residuals) = (plan.bits, plan.residuals.span)
        var (next, isAfterZero, wasExact, wasThere) = (0, false, true, true)
        var scale = ResidualModels.Scale()
        for row in 0..<state.table.rowCount {
            let word = state.table.word(row, column)
            if let isExact = guess.isExact(word, row) {
                models.withExact(wasExact) { coder.put(!isExact, &$0) }
                wasExact = isExact
                if isExact { continue }
            }
            let active = Int(activity[row].rawValue) << 2
            let context = active | state.presence(row, column, wasThere)
            coder.put(word == nil, &models.isMissing[context])
            wasThere = word != nil
            guard let word else { continue }
            let isRaw = plan.isRaw(row)
            coder.put(isRaw, &models.isRaw)
            if isRaw {
                coder.putBits(word, count: 64)
                continue
            }
            let residual = residuals[next]
            next &+= 1
            if plan.startsAnew, next == 1 {
                models.starts.put(residual, 0, about: ColumnPlan.startBits, to: &coder)
                continue
            }
            if let trials = guess.few(row),
                models.few.put(plan.numbers[next &- 1], of: trials, to: &coder)
            {
                continue
            }
            models.residuals.put(
                residual,
                guess.certainty(row, activity[row]) | (wasZero[row] ? 2 : 0)
                    | (isAfterZero ? 1 : 0), &scale,
                spread: guess.spread(row), bits: bits, to: &coder)
            isAfterZero = residual == 0
            wasZero[row] = isAfterZero
        }
    }

    /// Whether any number is there, and whether all are the key's.
    private func survey(_ column: Int) -> (hasNumbers: Bool, isBase: Bool) {
        var (hasNumbers, isBase) = (false, true)
        for row in 0..<state.table.rowCount {
            let word = state.table.word(row, column)
            if word != nil { hasNumbers = true }
            if isBase, state.baseRows[row] == nil || state.baseWord(row, column) != word {
                isBase = false
            }
            if hasNumbers, !isBase { break }
        }
        return (hasNumbers, isBase)
    }
}

/// Reads the columns that a `ColumnEncoder` wrote.
struct ColumnDecoder {
    private(set) var coder: RangeDecoder
    private(set) var models = ColumnModels()
    private(set) var state: TableState
    private var wasZero: [Bool]
    private var activity: [RowActivity]
    /// Columns that were written.
    private let columnCount: Int

    /// `state` tells of the rows; its numbers are filled in.
    init(_ bytes: ArraySlice<UInt8>, _ state: TableState) {
        var reader = ByteReader(bytes)
        columnCount = Int(clamping: reader.number())
        coder = RangeDecoder(reader.take(reader.left))
        self.state = state
        activity = Array(repeating: .unknown, count: state.table.rowCount)
        wasZero = Array(repeating: false, count: state.table.rowCount)
    }

    /// Goes on with `coder`, and with what `models` learnt of other columns.
    init(_ coder: RangeDecoder, _ models: ColumnModels, _ state: TableState) {
        columnCount = .max
        self.coder = coder
        self.models = models
        self.state = state
        activity = Array(repeating: .unknown, count: state.table.rowCount)
        wasZero = Array(repeating: false, count: state.table.rowCount)
    }

    /// The numbers of the columns in `order`. Columns written beyond these are not read, and those
    /// that were not written have no numbers.
    mutating func decode(
        _ kinds: [ColumnKind], order: [Int], guesser: some ColumnGuesser
    ) -> NumberTable {
        var wasBase = true
        activity = guesser.activity(after: nil, done: state) ?? activity
        for column in order.prefix(columnCount) {
            defer { activity = guesser.activity(after: column, done: state) ?? activity }
            guard coder.bit(&models.isEmpty[state.presence(column)]) else { continue }
            let guess = guesser.guess(column, done: state) ?? ColumnGuess()
            if guess.foretellsAll(state.table.rowCount), coder.bit(&models.isForetold) {
                guess.fill(&state.table, column)
                continue
            }
            wasBase = models.withBase(wasBase) { coder.bit(&$0) }
            if wasBase {
                for row in 0..<state.table.rowCount {
                    state.table.set(state.baseWord(row, column), row, column)
                }
                continue
            }
            decode(column, kinds[column], guess)
        }
        return state.table
    }

    private mutating func decode(_ column: Int, _ kind: ColumnKind, _ guess: ColumnGuess) {
        models.relax()
        var form = kind.isInteger ? NumberForm.whole : kind.form
        if !kind.isInteger, coder.bit(&models.isUsual) {
            form = NumberForm(rawValue: UInt8(coder.bits(count: 3))) ?? .whole
        }
        let takesOther = !guess.otherAbout.isEmpty && coder.bit(&models.takesOther)
        let unit = coder.bit(&models.hasUnit) ? Int(coder.bits(count: 4)) : 0
        var predictor = ColumnPredictor(column, takesOther: takesOther, unit: unit, state)
        var (isAfterZero, wasExact, wasThere) = (false, true, true)
        var scale = ResidualModels.Scale()
        for row in 0..<state.table.rowCount {
            if let isExact = readExact(guess, row, column, wasExact) {
                wasExact = isExact
                if isExact { continue }
            }
            let active = Int(activity[row].rawValue) << 2
            let isMissing = coder.bit(
                &models.isMissing[active | state.presence(row, column, wasThere)])
            wasThere = !isMissing
            if isMissing { continue }
            if coder.bit(&models.isRaw) {
                state.table.set(coder.bits(count: 64), row, column)
                continue
            }
            let compact = CompactNumber(
                form: form, isInteger: kind.isInteger, span: state.span(row),
                other: guess.other(row))
            if predictor.isAtStart {
                let residual = models.starts.take(0, about: ColumnPlan.startBits, from: &coder)
                let number = predictor.number(row, residual, state, compact, guess)
                state.table.set(compact.expand(number), row, column)
                continue
            }
            if let trials = guess.few(row),
                let number = models.few.take(of: trials, from: &coder)
            {
                state.table.set(compact.expand(number), row, column)
                continue
            }
            let residual = models.residuals.take(
                guess.certainty(row, activity[row]) | (wasZero[row] ? 2 : 0)
                    | (isAfterZero ? 1 : 0), &scale,
                spread: guess.spread(row), from: &coder)
            isAfterZero = residual == 0
            wasZero[row] = isAfterZero
            let number = predictor.number(row, residual, state, compact, guess)
            state.table.set(compact.expand(number), row, column)
        }
    }

    /// Whether the number is just what was expected; `nil` where nothing was.
    private mutating func readExact(
        _ guess: ColumnGuess, _ row: Int, _ column: Int, _ wasExact: Bool
    ) -> Bool? {
        guard row < guess.exact.count else { return nil }
        let expected = guess.exact[row]
        if case .unknown = expected { return nil }
        guard !models.withExact(wasExact, { coder.bit(&$0) }) else { return false }
        if case .word(let word) = expected { state.table.set(word, row, column) }
        return true
    }
}
