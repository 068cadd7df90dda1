internal import Telemetry

/// Models that all columns of a table share.
private struct HeadModels {
    var isEmpty = BitModel()
    var isBase = BitModel()
    var isUsual = BitModel()
    var isExact = [BitModel](repeating: BitModel(), count: 2)
}

/// Models of one column.
private struct ColumnModels {
    /// By what the key has: nothing known, missing, there.
    var isThere = [BitModel](repeating: BitModel(), count: 4)
    var isRaw = BitModel()
    var numbers = NumberModels()

    /// What columns teach each other counts as so many decisions.
    static let confidence: UInt16 = 1

    /// Models for the columns of each form, and for whole numbers.
    static func all() -> [ColumnModels] {
        Array(repeating: ColumnModels(), count: NumberForm.allCases.count + 1)
    }

    /// Which of `all` is for `kind`.
    static func index(_ kind: ColumnKind) -> Int {
        kind.isInteger ? NumberForm.allCases.count : Int(kind.form.rawValue)
    }

    /// Makes what was learnt of one column a first guess for the next.
    mutating func relax() {
        for index in isThere.indices { isThere[index].relax(to: Self.confidence) }
        isRaw.relax(to: Self.confidence)
        numbers.relax(to: Self.confidence)
    }
}

/// A column's description: its usual form, and whether its words are whole numbers.
typealias ColumnKind = (form: NumberForm, isInteger: Bool)

/// Writes the columns of one table.
struct ColumnEncoder {
    private var coder = RangeEncoder()
    private var head = HeadModels()
    private var models = ColumnModels.all()
    private var state: TableState

    init(_ state: TableState) { self.state = state }

    /// The number of columns, and the numbers of all in `order`.
    mutating func encode(
        _ kinds: [ColumnKind], order: [Int], guesser: some ColumnGuesser
    ) -> [UInt8] {
        for column in order {
            let guess = guesser.guess(column, done: state) ?? ColumnGuess()
            encode(column, kinds[column], guess)
        }
        var writer = ByteWriter()
        writer.number(order.count)
        writer.append(coder.finish())
        return writer.bytes
    }

    private mutating func encode(_ column: Int, _ kind: ColumnKind, _ guess: ColumnGuess) {
        let (hasNumbers, isBase) = survey(column)
        coder.put(hasNumbers, &head.isEmpty)
        guard hasNumbers else { return }
        coder.put(isBase, &head.isBase)
        if isBase { return }
        let own = ColumnModels.index(kind)
        models[own].relax()
        let form = kind.isInteger ? .whole : bestForm(column, kind.form, guess)
        if !kind.isInteger {
            coder.put(form != kind.form, &head.isUsual)
            if form != kind.form { coder.putBits(UInt64(form.rawValue), count: 3) }
        }
        var (context, wasExact, wasThere) = (0, 0, 0)
        for row in 0..<state.table.rowCount {
            let word = state.table.word(row, column)
            if let isExact = Self.isExact(word, guess, row) {
                coder.put(!isExact, &head.isExact[wasExact])
                wasExact = isExact ? 0 : 1
                if isExact { continue }
            }
            let base = state.baseWord(row, column)
            let thereContext = state.baseRows[row] == nil ? wasThere : base == nil ? 2 : 3
            coder.put(word == nil, &models[own].isThere[thereContext])
            wasThere = word == nil ? 1 : 0
            guard let word else { continue }
            let compact = CompactNumber(
                form: form, isInteger: kind.isInteger, span: state.span(row),
                other: guess.other(row))
            guard let number = compact.compact(word) else {
                coder.put(true, &models[own].isRaw)
                coder.putBits(word, count: 64)
                continue
            }
            coder.put(false, &models[own].isRaw)
            let residual = number &- state.prediction(row, column, compact, guess)
            models[own].numbers.put(residual, context: context, to: &coder)
            context = (context << 1 | (residual == 0 ? 0 : 1)) & 3
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

    private static func isExact(_ word: UInt64?, _ guess: ColumnGuess, _ row: Int) -> Bool? {
        guard row < guess.exact.count else { return nil }
        switch guess.exact[row] {
        case .unknown: return nil
        case .missing: return word == nil
        case .word(let expected): return word == expected
        }
    }

    /// The form in which the fewest numbers need all their bits.
    private func bestForm(_ column: Int, _ usual: NumberForm, _ guess: ColumnGuess) -> NumberForm {
        var best: (form: NumberForm, raw: Int) = (usual, .max)
        best.raw = rawCount(column, usual, guess)
        for form in NumberForm.allCases where best.raw > 0 {
            let raw = rawCount(column, form, guess)
            if raw < best.raw { best = (form, raw) }
        }
        return best.form
    }

    /// Numbers that need all their bits in `form`.
    private func rawCount(_ column: Int, _ form: NumberForm, _ guess: ColumnGuess) -> Int {
        var raw = 0
        for row in 0..<state.table.rowCount {
            guard let word = state.table.word(row, column),
                Self.isExact(word, guess, row) != true
            else { continue }
            let compact = CompactNumber(
                form: form, isInteger: false, span: state.span(row), other: guess.other(row))
            if compact.compact(word) == nil { raw += 1 }
        }
        return raw
    }
}

extension TableState {
    /// What a number is compared with: the guess, else the key's number, else 0.
    @inline(__always)
    fileprivate func prediction(
        _ row: Int, _ column: Int, _ number: CompactNumber, _ guess: ColumnGuess
    ) -> Int64 {
        if row < guess.about.count, let about = guess.about[row] { return about }
        guard let key = baseRows[row], let word = base.word(key, column) else { return 0 }
        if number.form == .share || number.form == .quotient { return 0 }
        return CompactNumber(form: number.form, isInteger: number.isInteger, span: baseSpan(key))
            .compact(word) ?? 0
    }
}

/// Reads the columns that a `ColumnEncoder` wrote.
struct ColumnDecoder {
    private var coder: RangeDecoder
    private var head = HeadModels()
    private var models = ColumnModels.all()
    private(set) var state: TableState

    /// Columns that were written.
    private let columnCount: Int

    /// `state` tells of the rows; its numbers are filled in.
    init(_ bytes: ArraySlice<UInt8>, _ state: TableState) {
        var reader = ByteReader(bytes)
        columnCount = Int(clamping: reader.number())
        coder = RangeDecoder(reader.take(reader.left))
        self.state = state
    }

    /// The numbers of the columns in `order`. Columns written beyond these are not read, and those
    /// that were not written have no numbers.
    mutating func decode(
        _ kinds: [ColumnKind], order: [Int], guesser: some ColumnGuesser
    ) -> NumberTable {
        for column in order.prefix(columnCount) {
            let guess = guesser.guess(column, done: state) ?? ColumnGuess()
            decode(column, kinds[column], guess)
        }
        return state.table
    }

    private mutating func set(_ word: UInt64?, _ row: Int, _ column: Int) {
        let place = state.table.place(row, column)
        state.table.words[place] = word ?? 0
        state.table.isThere[place] = word != nil
    }

    private mutating func decode(_ column: Int, _ kind: ColumnKind, _ guess: ColumnGuess) {
        guard coder.bit(&head.isEmpty) else { return }
        if coder.bit(&head.isBase) {
            for row in 0..<state.table.rowCount { set(state.baseWord(row, column), row, column) }
            return
        }
        let own = ColumnModels.index(kind)
        models[own].relax()
        var form = kind.isInteger ? NumberForm.whole : kind.form
        if !kind.isInteger, coder.bit(&head.isUsual) {
            form = NumberForm(rawValue: UInt8(coder.bits(count: 3))) ?? .whole
        }
        var (context, wasExact, wasThere) = (0, 0, 0)
        for row in 0..<state.table.rowCount {
            if row < guess.exact.count {
                if let isExact = readExact(guess.exact[row], row, column, wasExact) {
                    wasExact = isExact ? 0 : 1
                    if isExact { continue }
                }
            }
            let base = state.baseWord(row, column)
            let thereContext = state.baseRows[row] == nil ? wasThere : base == nil ? 2 : 3
            let isMissing = coder.bit(&models[own].isThere[thereContext])
            wasThere = isMissing ? 1 : 0
            if isMissing { continue }
            if coder.bit(&models[own].isRaw) {
                set(coder.bits(count: 64), row, column)
                continue
            }
            let residual = models[own].numbers.take(context: context, from: &coder)
            context = (context << 1 | (residual == 0 ? 0 : 1)) & 3
            let compact = CompactNumber(
                form: form, isInteger: kind.isInteger, span: state.span(row),
                other: guess.other(row))
            let number = residual &+ state.prediction(row, column, compact, guess)
            set(compact.expand(number), row, column)
        }
    }

    /// Whether the number is just what was expected; `nil` where nothing was.
    private mutating func readExact(
        _ expected: ColumnGuess.Exact, _ row: Int, _ column: Int, _ context: Int
    ) -> Bool? {
        if case .unknown = expected { return nil }
        guard !coder.bit(&head.isExact[context]) else { return false }
        if case .word(let word) = expected { set(word, row, column) }
        return true
    }
}
